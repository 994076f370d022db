//! Policies: reading, compiling and asking them.

use std::sync::Arc;

use serde_json::json;

use super::texts::check_text;
use super::*;

pub(super) fn compiled(texts: &[(&str, &str)]) -> Arc<Policies> {
    let texts = Texts::default().with(
        texts
            .iter()
            .map(|(id, text)| ((*id).to_owned(), Some((*text).to_owned())))
            .collect(),
    );
    let (policies, mut broken) = Arc::new(Policies::default()).with(&texts);
    broken.extend(texts.broken());
    assert_eq!(broken, []);
    policies
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => unreachable!("{other}"),
    }
}

fn ask(policies: &Policies, user: Value, action: &str, resource: Value) -> Verdict {
    let context = object(json!({ "ip": "10.1.2.3" }));
    policies
        .ask(
            &CedarRequest {
                user: "0190-alice",
                user_attributes: &object(user),
                memberships: &[(ROLE, "support"), (GROUP, "berlin")],
                action,
                resource_type: "Document",
                resource_id: "42",
                resource_attributes: &object(resource),
                context: &context,
                organizations: &[],
                resource_organization: None,
                client: None,
            },
            &KnownThings::default(),
        )
        .unwrap()
}

#[test]
fn attributes_memberships_and_context_decide() {
    let policies = compiled(&[
        (
            "own-department",
            r#"permit(principal, action == Action::"read", resource is Document)
               when { principal.department == resource.department };"#,
        ),
        (
            "berlin-office",
            r#"permit(principal in Group::"berlin", action in [Action::"print", Action::"scan"], resource)
               when { ip(context.ip).isInRange(ip("10.0.0.0/8")) };"#,
        ),
        (
            "never-secret",
            "forbid(principal, action, resource) when { resource has secret && resource.secret };",
        ),
    ]);
    let sales = json!({ "department": "sales" });
    let verdict = ask(&policies, sales.clone(), "read", sales.clone());
    assert_eq!(verdict.permits, ["own-department"]);
    assert_eq!(policies.permits_for("read"), ["own-department"]);
    assert_eq!(
        ask(&policies, json!({}), "scan", json!({})).permits,
        ["berlin-office"]
    );
    let secret = json!({ "department": "sales", "secret": true });
    let verdict = ask(&policies, sales, "read", secret);
    assert_eq!(verdict.forbids, ["never-secret"]);
    assert_eq!(
        ask(&policies, json!({}), "write", json!({})),
        Verdict::default()
    );
}

#[test]
fn a_policy_that_asks_for_what_is_not_there_is_named() {
    let policies = compiled(&[(
        "level",
        r#"forbid(principal, action == Action::"read", resource) when { principal.level < 3 };"#,
    )]);
    let verdict = ask(&policies, json!({ "level": null }), "read", json!({}));
    let [(id, problem, true)] = verdict.failed.as_slice() else {
        panic!("{verdict:?}")
    };
    assert_eq!(id, "level");
    assert!(problem.contains("level"), "{problem}");
}

#[test]
fn a_mistake_is_located() {
    assert_eq!(
        check_text(r#"permit(principal, action == Action::"read", resource);"#),
        Ok(())
    );
    let problem =
        check_text("permit(principal, action, resource)\nwhen { principal.x = 1 };").unwrap_err();
    assert_eq!(problem.at.map(|(line, _)| line), Some(2), "{problem}");
    for broken in [
        "",
        "permit",
        "permit(principal, action);",
        "allow(principal, action, resource);",
        "permit(principal == ?principal, action, resource);",
        r#"forbid(principal, action == Shop::Action::"read", resource);"#,
    ] {
        assert!(check_text(broken).is_err(), "{broken}");
    }
    let texts = Texts::default().with([("bad".to_owned(), Some("permit".to_owned()))].into());
    assert_eq!(texts.broken().next().unwrap().id, "bad");
}

#[test]
fn a_type_that_is_no_name_is_still_a_resource() {
    let none = Map::new();
    let asked = CedarRequest {
        user: "a",
        user_attributes: &none,
        memberships: &[],
        action: "read",
        resource_type: "no name",
        resource_id: "1",
        resource_attributes: &none,
        context: &none,
        organizations: &[],
        resource_organization: None,
        client: None,
    };
    assert_eq!(
        Policies::default().ask(&asked, &KnownThings::default()),
        Ok(Verdict::default())
    );
    let policies = compiled(&[
        ("all", "forbid(principal, action, resource);"),
        (
            "documents",
            "permit(principal, action, resource is Document);",
        ),
    ]);
    let verdict = policies.ask(&asked, &KnownThings::default()).unwrap();
    assert_eq!(
        (verdict.forbids, verdict.permits.len()),
        (vec!["all".to_owned()], 0)
    );
}

#[test]
fn a_user_may_be_the_resource_of_their_own_question() {
    let policies = compiled(&[(
        "self",
        "permit(principal, action, resource is User) when { principal == resource && resource.department == \"sales\" };",
    )]);
    let about = object(json!({ "department": "sales" }));
    let none = Map::new();
    let asked = CedarRequest {
        user: "a",
        user_attributes: &about,
        memberships: &[(ROLE, "support")],
        action: "read",
        resource_type: "User",
        resource_id: "a",
        resource_attributes: &none,
        context: &none,
        organizations: &[],
        resource_organization: None,
        client: None,
    };
    assert_eq!(
        policies
            .ask(&asked, &KnownThings::default())
            .unwrap()
            .permits,
        ["self"]
    );
}

#[test]
fn a_number_that_policies_do_not_know_is_an_error_and_not_absent() {
    let policies = compiled(&[(
        "limit",
        "forbid(principal, action, resource) when { context has amount && context.amount > 1000 };",
    )]);
    let none = Map::new();
    let ask = |amount: Value| {
        let context = object(json!({ "amount": amount }));
        policies.ask(
            &CedarRequest {
                user: "a",
                user_attributes: &none,
                memberships: &[],
                action: "pay",
                resource_type: "Account",
                resource_id: "1",
                resource_attributes: &none,
                context: &context,
                organizations: &[],
                resource_organization: None,
                client: None,
            },
            &KnownThings::default(),
        )
    };
    assert_eq!(ask(json!(5000)).unwrap().forbids, ["limit"]);
    // A decimal is no long: the forbid cannot be evaluated, and so forbids.
    assert!(ask(json!(5000.5)).unwrap().failed[0].2);
    assert!(ask(json!(1e19)).is_err() && ask(json!(0.123_456)).is_err());
    assert!(ask(json!(1.000_01)).is_err() && ask(json!(1.5e-7)).is_err());
    assert!(ask(json!(123_456_789_012_345.5)).is_err());
}

#[test]
fn a_text_that_would_exhaust_the_stack_is_refused() {
    let nested = |text: String| format!("permit(principal, action, resource) when {{ {text} }};");
    let brackets = nested(format!("{}true{}", "(".repeat(5000), ")".repeat(5000)));
    let chain = nested(format!("principal{}", ".a".repeat(4000)));
    let conditions = nested(format!("{}true", "if true then true else ".repeat(500)));
    for text in [brackets, chain, conditions] {
        assert!(check_text(&text).is_err());
    }
    // What stands side by side is not nested; 64 levels are not too many.
    let beside = nested(vec!["(context.x)"; 70].join(" && "));
    let deep = nested(format!("{}true{}", "(".repeat(63), ")".repeat(63)));
    let conditions = nested(format!("{}true", "if true then true else ".repeat(64)));
    for text in [beside, deep, conditions] {
        assert!(check_text(&text).is_ok(), "{text}");
    }
}
