//! What policies see of groups, organizations, clients and declared types.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::domain::ids::UserId;
use crate::spec::time::Ts;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => unreachable!("{other}"),
    }
}

struct Case {
    subject: Subject,
    object: Object,
    client: Option<Application>,
    written: Written,
}

/// Alice of acme and of the group berlin reads a document of acme with the partner's application.
fn case() -> Case {
    let group = |parents: &[&str], attributes| Group {
        parents: parents.iter().map(|&parent| parent.to_owned()).collect(),
        attributes: object(attributes),
        ..Group::default()
    };
    Case {
        subject: Subject {
            id: UserId::from_random([1; 16]),
            enabled: true,
            attributes: object(json!({ "left": "2027-01-01", "username": "alice" })),
            assignments: Vec::new(),
            groups: vec!["berlin".to_owned()],
            organizations: vec!["acme".to_owned()],
            levels: Levels::default(),
        },
        object: Object {
            kind: "Document".to_owned(),
            id: "42".to_owned(),
            organization: Some("acme".to_owned()),
            attributes: object(json!({ "network": "10.0.0.0/8", "price": 7 })),
        },
        client: Some(Application {
            id: "web".to_owned(),
            attributes: object(json!({ "partner": true })),
        }),
        written: Written {
            groups: BTreeMap::from([
                ("germany".to_owned(), group(&[], json!({ "floor": 1 }))),
                (
                    "berlin".to_owned(),
                    group(&["germany"], json!({ "floor": 3 })),
                ),
            ]),
            organizations: BTreeMap::from([
                ("acme".to_owned(), object(json!({ "plan": "gold" }))),
                ("evil".to_owned(), object(json!({ "plan": "tin" }))),
            ]),
            ..Written::default()
        },
    }
}

impl Case {
    fn declare(&mut self, of: Of, name: &str, kind: AttributeType) {
        let declaration = Declaration {
            kind,
            required: false,
        };
        let declarations = &mut self.written.declarations;
        declarations.insert(of, name.to_owned(), declaration);
    }

    fn holds(&self, condition: &str) -> bool {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let policies = [("p".to_owned(), text)].into();
        let written = Written {
            policies,
            ..self.written.clone()
        };
        let context = object(json!({ "client_id": "web" }));
        let question = Question {
            subject: &self.subject,
            action: "read",
            object: &self.object,
            context: &context,
            client: self.client.as_ref(),
            now: Ts::from_secs(0),
            why: false,
        };
        let snapshot = Snapshot::compile(written);
        assert_eq!(snapshot.broken(), [], "{condition}");
        snapshot.decide(&question).allowed
    }
}

#[test]
fn groups_organizations_and_clients_have_attributes() {
    let case = case();
    for condition in [
        r#"principal in Group::"germany" && Group::"germany".floor == 1"#,
        r#"Group::"berlin" in Group::"germany""#,
        r#"Organization::"evil".plan == "tin""#,
        r#"resource in Organization::"acme" && resource.org.plan == "gold""#,
        "principal in resource.org && principal.org == resource.org",
        r#"context.client == Client::"web" && context.client.partner"#,
        r#"context.client_id == "web""#,
    ] {
        assert!(case.holds(condition), "{condition}");
    }
    for condition in [
        r#"Group::"nowhere".floor == 1"#,
        r#"principal in Organization::"evil""#,
        r#"resource in Organization::"evil""#,
        r#"context.client == Client::"mail""#,
        r#"Client::"mail".partner"#,
    ] {
        assert!(!case.holds(condition), "{condition}");
    }
}

#[test]
fn of_several_organizations_none_is_the_one_and_an_own_attribute_stays() {
    let mut several = case();
    several.subject.organizations.push("evil".to_owned());
    assert!(!several.holds("principal has org"));
    assert!(several.holds("principal in resource.org"));
    let mut own = case();
    own.object
        .attributes
        .insert("org".to_owned(), "mine".into());
    assert!(own.holds(r#"resource.org == "mine" && resource in Organization::"acme""#));
    let mut bare = case();
    bare.object.organization = None;
    bare.client = None;
    assert!(!bare.holds("resource has org || context has client"));
}

#[test]
fn a_declared_type_is_what_policies_see() {
    let mut case = case();
    let network = r#"resource.network.isInRange(ip("10.0.0.0/8"))"#;
    let price = r#"resource.price.lessThan(decimal("9.5"))"#;
    let left = r#"principal.left > datetime("2026-12-31")"#;
    for condition in [network, price, left] {
        assert!(!case.holds(condition), "{condition}");
    }
    let document = || Of::Resource("Document".to_owned());
    case.declare(document(), "network", AttributeType::IpAddr);
    case.declare(document(), "price", AttributeType::Decimal);
    case.declare(Of::User, "left", AttributeType::DateTime);
    for condition in [network, price, left] {
        assert!(case.holds(condition), "{condition}");
    }
    // What a caller says and is not of its type is seen as it is: nothing is permitted by it.
    case.object
        .attributes
        .insert("network".to_owned(), "rubbish".into());
    assert!(!case.holds(network));
    assert!(case.holds(r#"resource.network == "rubbish""#));
}

#[test]
fn what_is_known_goes_before_what_a_caller_says_of_a_group_or_client() {
    let mut case = case();
    case.object = Object {
        kind: "Group".to_owned(),
        id: "berlin".to_owned(),
        organization: None,
        attributes: object(json!({ "floor": 9, "owner": "alice" })),
    };
    assert!(case.holds(r#"resource.floor == 3 && resource in Group::"germany" && resource.owner == principal.username"#));
    assert!(case.holds(r#"Group::"berlin".floor == 3"#));
    case.object.kind = "Client".to_owned();
    case.object.id = "web".to_owned();
    case.object.attributes = object(json!({ "partner": false }));
    assert!(case.holds("context.client.partner && context.client == resource"));
}

/// A condition that holds for every value of a type, and can be evaluated for no other.
const fn always(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::String => r#"resource.x like "*""#,
        AttributeType::Long => "resource.x < 0 || resource.x >= 0",
        AttributeType::Bool => "resource.x || !resource.x",
        AttributeType::StringSet => r#"resource.x.contains("a") || !resource.x.contains("a")"#,
        AttributeType::Decimal => {
            r#"resource.x.lessThan(decimal("0.0")) || resource.x.greaterThanOrEqual(decimal("0.0"))"#
        }
        AttributeType::DateTime => {
            r#"resource.x < datetime("2000-01-01") || resource.x >= datetime("2000-01-01")"#
        }
        AttributeType::IpAddr => "resource.x.isIpv4() || resource.x.isIpv6()",
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_000_000_i64..1_000_000, 0_u32..10_000)
            .prop_map(|(whole, part)| serde_json::from_str(&format!("{whole}.{part}")).unwrap()),
        "[a-z0-9:./-]{0,12}".prop_map(Value::from),
        (2000_u16..2100, 1_u8..14, 1_u8..33)
            .prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}").into()),
        any::<std::net::IpAddr>().prop_map(|ip| ip.to_string().into()),
        proptest::collection::vec("[a-c]", 0..3).prop_map(Value::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What may be stored as a type is what policies that were judged by that type can work with, and nothing else is.
    #[test]
    fn values_that_fit_are_values_that_policies_can_use(value in any_value(), which in 0..7_usize) {
        let kind = AttributeType::ALL[which];
        let fits = kind.fits(&value);
        let mut case = case();
        case.object.attributes = Map::from_iter([("x".to_owned(), value.clone())]);
        case.declare(Of::Resource("Document".to_owned()), "x", kind);
        let text = format!("permit(principal, action, resource is Document) when {{ {} }};", always(kind));
        let vocabulary = Vocabulary {
            declarations: case.written.declarations.clone(),
            ..Vocabulary::default()
        };
        prop_assert_eq!(validate(&text, &vocabulary).map(|_| ()), Ok(()));
        let works = case.holds(always(kind));
        prop_assert!(works || !fits, "{kind:?} {value}");
        // A list of anything can be searched for a text.
        prop_assert!(fits || !works || kind == AttributeType::StringSet, "{kind:?} {value}");
    }
}
