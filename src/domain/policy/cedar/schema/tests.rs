//! What is refused as a policy, and above all what is not.

use proptest::prelude::*;

use super::*;

fn vocabulary(declared: &[(&str, &str, AttributeType, bool)]) -> Vocabulary {
    let mut vocabulary = Vocabulary {
        actions: ["read", "write"].map(str::to_owned).into(),
        resource_types: ["order"].map(str::to_owned).into(),
        ..Vocabulary::default()
    };
    for (of, name, kind, required) in declared {
        let declaration = Declaration {
            kind: *kind,
            required: *required,
        };
        let declarations = &mut vocabulary.declarations;
        declarations.insert(Of::parse(of), (*name).to_owned(), declaration);
    }
    vocabulary
}

/// People, documents and clients are declared; groups, organizations and every other type are not.
fn declared() -> Vocabulary {
    vocabulary(&[
        ("user", "department", AttributeType::String, true),
        ("user", "level", AttributeType::Long, true),
        ("user", "languages", AttributeType::StringSet, true),
        ("user", "left", AttributeType::DateTime, false),
        ("user", "nickname", AttributeType::String, false),
        ("Document", "department", AttributeType::String, true),
        ("Document", "sealed", AttributeType::Bool, false),
        ("Document", "network", AttributeType::IpAddr, true),
        ("Shop::Order", "total", AttributeType::Decimal, true),
        ("client", "partner", AttributeType::Bool, true),
    ])
}

fn when(condition: &str) -> String {
    format!(
        r#"permit(principal, action == Action::"read", resource is Document) when {{ {condition} }};"#
    )
}

#[test]
fn what_is_not_declared_may_be_asked_and_what_is_right_is_taken() {
    let (nothing, declared) = (vocabulary(&[]), declared());
    for text in [
        // README and DESIGN §7.
        when("principal.department == resource.department"),
        "forbid(principal, action, resource) when { resource has sealed && resource.sealed };".to_owned(),
        when(r#"ip(context.ip).isInRange(ip("10.0.0.0/8"))"#),
        when("context has amount && context.amount > 1000"),
        when(r#"principal in Group::"berlin" && Group::"berlin".floor == 3"#),
        when(r#"principal in resource.org && resource.org.plan == "gold""#),
        when(r#"context.client == Client::"web" && context.client.first_party"#),
        when(r#"context.auth_age < 300 && context.amr.contains("pwd")"#),
        when(r#"principal.email_verified && principal.email like "*@example.test""#),
        "permit(principal, action, resource) when { principal == resource };".to_owned(),
        r#"permit(principal, action, resource is Folder) when { resource.a.b.c < 3 || resource.a.contains("x") };"#.to_owned(),
        r#"permit(principal, action in [Action::"print", Action::"scan"], resource) unless { action == Action::"scan" && resource in Folder::"1" };"#.to_owned(),
        r#"permit(principal is User in Group::"x", action, resource is Shop::Cart) when { resource.owner == principal.username };"#.to_owned(),
        r#"permit(principal, action, resource is "no" in Organization::"acme");"#.replace(" is \"no\"", ""),
    ] {
        assert_eq!(validate(&text, &nothing), Ok(vec![]), "{text}");
        assert_eq!(validate(&text, &declared).map(|_| ()), Ok(()), "{text}");
    }
    for text in [
        when("principal.level > 3 && resource.network.isInRange(ip(\"10.0.0.0/8\"))"),
        when("principal.languages.contains(\"de\") && !(resource has sealed && resource.sealed)"),
        when("principal has left && principal.left < datetime(\"2027-01-01\")"),
        when("context.client.partner"),
        r#"permit(principal, action, resource is Shop::Order) when { resource.total.lessThan(decimal("9.5")) };"#.to_owned(),
    ] {
        assert_eq!(validate(&text, &declared), Ok(vec![]), "{text}");
    }
}

#[test]
fn what_is_declared_is_held_to_it_with_place_and_hint() {
    for (condition, message, hint) in [
        (
            "principal.departmen == \"a\"",
            "attribute `departmen` on entity type `User` not found",
            "did you mean `department`?",
        ),
        (
            "resource.departmnt == \"a\"",
            "attribute `departmnt` on entity type `Document` not found",
            "did you mean `department`?",
        ),
        ("principal.level > \"3\"", "unexpected type", ""),
        ("principal.level == \"3\"", "the types", "both operands"),
        ("principal.languages.contains(3)", "the types", "contains"),
        (
            "principal.department.contains(\"a\")",
            "unexpected type",
            "like",
        ),
        (
            "context.ip.isInRange(ip(\"10.0.0.0/8\"))",
            "unexpected type",
            "",
        ),
        (
            "context.client.partnr",
            "not found",
            "did you mean `partner`?",
        ),
        ("principal.left < \"2027-01-01\"", "", ""),
        ("principal.nickname == 3", "the types", ""),
        ("1 < true", "unexpected type", ""),
    ] {
        let problem = validate(&when(condition), &declared()).unwrap_err();
        assert!(problem.message.contains(message), "{condition}: {problem}");
        let told = problem.hint.clone().unwrap_or_default();
        assert!(told.contains(hint), "{condition}: {problem}");
        let (line, column) = problem.at.unwrap();
        assert!(line == 1 && column > 70, "{condition}: {problem}");
    }
    let two = "permit(principal, action, resource);\nforbid(principal, action, resource is Document)\n  when { resource.seald };";
    let problem = validate(two, &declared()).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "line 3, column 10: attribute `seald` on entity type `Document` not found (did you mean `sealed`?)"
    );
    assert_eq!(
        problem.underlined(two).unwrap(),
        "  when { resource.seald };\n         ^"
    );
}

#[test]
fn people_are_users_and_belong_to_what_people_belong_to() {
    for (text, named, hint) in [
        (
            "permit(principal is Usr, action, resource);",
            "Usr",
            "did you mean User?",
        ),
        (
            r#"permit(principal == Person::"a", action, resource);"#,
            "Person",
            "expected User",
        ),
        (
            r#"permit(principal in Grup::"a", action, resource);"#,
            "Grup",
            "did you mean Group?",
        ),
        (
            r#"permit(principal, action, resource) when { principal in Rle::"a" };"#,
            "Rle",
            "did you mean Role?",
        ),
        (
            r#"permit(principal, action, resource) when { true && !(principal in [Group::"a", Team::"b"]) };"#,
            "Team",
            "expected User",
        ),
        (
            "permit(principal, action, resource) when { principal is Admin };",
            "Admin",
            "expected User",
        ),
    ] {
        let problem = validate(text, &vocabulary(&[])).unwrap_err();
        assert!(problem.message.contains(named), "{text}: {problem}");
        assert!(
            problem.hint.clone().unwrap().contains(hint),
            "{text}: {problem}"
        );
        let at = text.find(named).unwrap();
        assert_eq!(problem.at, Some((1, at + 1)), "{text}");
    }
}

#[test]
fn what_may_be_a_mistake_is_told_and_taken() {
    let told = |text: &str| {
        let warnings = validate(text, &declared()).unwrap();
        warnings
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    };
    let action = told(r#"permit(principal, action == Action::"raed", resource);"#);
    assert!(
        action.contains("line 1, column 37") && action.contains("did you mean read?"),
        "{action}"
    );
    let kind = told("permit(principal, action, resource is Documnt);");
    assert!(kind.contains("did you mean Document?"), "{kind}");
    let absent = told(&when("resource.sealed"));
    assert!(
        absent.contains("resource has sealed") || absent.contains("has sealed"),
        "{absent}"
    );
    assert_eq!(
        told(r#"permit(principal, action == Action::"share", resource is Folder);"#),
        ""
    );
}

#[test]
fn a_type_is_a_name_that_policies_can_write() {
    for good in ["Document", "order", "Shop::Order", "thing1"] {
        assert!(is_type_name(good), "{good}");
    }
    for bad in [
        "", "no name", "urn:shop", "User", "Action", "Role", "__cedar", "if", "a::", "Group",
    ] {
        assert!(!is_type_name(bad), "{bad}");
    }
}

proptest! {
    /// Nothing declared: whatever is asked of people and resources by any name is taken.
    #[test]
    fn open_kinds_never_refuse(attribute in "[a-z]{1,12}", kind in "[A-Z][a-z]{1,8}", value in any::<i32>()) {
        prop_assume!(!["username", "email", "organization", "org"].contains(&attribute.as_str()));
        prop_assume!(!["User", "Role", "Group", "Organization", "Client", "Action"].contains(&kind.as_str()));
        prop_assume!(!["if", "then", "else", "in", "is", "like", "has", "true", "false", "principal"].contains(&attribute.as_str()));
        let text = format!(
            "permit(principal, action, resource is {kind}) when {{ principal.{attribute} > {value} && resource.{attribute} == principal.{attribute} && context.c{attribute}.x }};"
        );
        let outcome = validate(&text, &vocabulary(&[]));
        prop_assert!(outcome.is_ok(), "{text}: {outcome:?}");
    }
}
