//! What guards read off policies.

use std::sync::Arc;

use super::tests::compiled;
use super::*;

fn policies(text: &str) -> Arc<Policies> {
    compiled(&[("one", text)])
}

#[test]
fn names_are_found_wherever_and_however_they_are_written() {
    let cases: &[(&str, Named<'_>)] = &[
        (
            r#"permit(principal in Role::"x", action, resource);"#,
            Named::Role("x"),
        ),
        (
            r#"permit(principal == User::"u-1", action, resource);"#,
            Named::User("u-1"),
        ),
        (
            r#"permit(principal is User in Group::"x", action, resource);"#,
            Named::Group("x"),
        ),
        (
            r#"permit(principal, action, resource in Organization::"x");"#,
            Named::Organization("x"),
        ),
        (
            r#"permit(principal, action, resource == Document::"7");"#,
            Named::Object("Document", "7"),
        ),
        (
            r#"permit(principal in Group::"o\'brien", action, resource);"#,
            Named::Group("o'brien"),
        ),
        (
            r#"permit(principal, action, resource) when { principal in Role::"\u{61}dmin" };"#,
            Named::Role("admin"),
        ),
        (
            r#"permit(principal, action, resource) when { [Group::"a", Group::"b\x20c"].contains(principal.org) };"#,
            Named::Group("b c"),
        ),
        (
            r#"permit(principal, action, resource) unless { principal in [Role::"y", Role::"x"] };"#,
            Named::Role("x"),
        ),
        (
            r#"permit(principal, action, resource) when { resource has organization && resource.organization == "x" };"#,
            Named::Organization("x"),
        ),
        (
            r#"permit(principal, action, resource) when { {a: [Client::"desk"]}.a.contains(context.client) };"#,
            Named::Client("desk"),
        ),
        (
            r#"permit(principal, action, resource) when { context.client_id like "de*k" };"#,
            Named::Client("desk"),
        ),
        (
            r#"permit(principal, action, resource) when { if context.x then false else "x" == context.group };"#,
            Named::Group("x"),
        ),
    ];
    for (text, thing) in cases {
        assert!(policies(text).name(*thing, false), "{text}");
        assert!(!policies(text).name(*thing, true), "{text}");
        let forbid = text.replacen("permit", "forbid", 1);
        assert!(policies(&forbid).name(*thing, true), "{forbid}");
    }
    let not = policies(
        r#"@id("x") permit(principal in Group::"x", action == Action::"read", resource) when { principal.clearance == 1 }; // "read""#,
    );
    for thing in [
        Named::Role("x"),
        Named::Role("read"),
        Named::Group("y"),
        Named::User("clearance"),
    ] {
        assert!(!not.name(thing, false), "{thing:?}");
    }
    // Of several statements in one text each counts by itself.
    let two = policies(
        r#"permit(principal in Role::"a", action, resource); forbid(principal in Role::"b", action, resource);"#,
    );
    assert!(!two.name(Named::Role("a"), true) && two.name(Named::Role("b"), true));
}

#[test]
fn what_is_read_is_found_through_every_way_to_it() {
    let doc = Named::Object("Document", "7");
    let cases: &[(&str, Named<'_>, &str)] = &[
        ("principal.level > 3", Named::User("u"), "level"),
        (r#"principal["level"] > 3"#, Named::User("u"), "level"),
        ("principal has level", Named::User("u"), "level"),
        ("principal has level.high", Named::User("u"), "level"),
        (
            "principal.address.city == \"x\"",
            Named::User("u"),
            "address",
        ),
        ("resource.open", doc, "open"),
        ("resource.open", Named::Group("any"), "open"),
        (
            r#"Group::"staff".level > 3"#,
            Named::Group("staff"),
            "level",
        ),
        (
            "principal.org.trusted",
            Named::Organization("any"),
            "trusted",
        ),
        (
            "resource.org.trusted",
            Named::Organization("any"),
            "trusted",
        ),
        (
            "principal has org.trusted",
            Named::Organization("any"),
            "trusted",
        ),
        ("principal in resource.org", doc, "org"),
        ("resource in principal.org", doc, "org"),
        ("resource is Document in principal.org", doc, "org"),
        ("context.client.trusted", Named::Client("any"), "trusted"),
        ("{a: principal}.a.level > 3", Named::User("u"), "level"),
        (
            "(if context.x then principal else resource).level > 3",
            doc,
            "level",
        ),
        (
            r#"{a: {b: [resource]}, c: Group::"staff"}.c.level > 3"#,
            Named::Group("staff"),
            "level",
        ),
        (
            "!(context.x && [principal.level].contains(3))",
            Named::User("u"),
            "level",
        ),
        ("ip(resource.address).isLoopback()", doc, "address"),
        (
            "resource.getTag(\"x\") == 1",
            Named::Group("any"),
            "whatever",
        ),
    ];
    for (condition, thing, attribute) in cases {
        for text in [
            format!("permit(principal, action, resource) when {{ {condition} }};"),
            format!("forbid(principal, action, resource) unless {{ {condition} }};"),
        ] {
            assert!(policies(&text).read(*thing, attribute, false), "{text}");
        }
    }
    let text = r#"permit(principal, action, resource is Document) when { resource.open && principal.level > context.risk && Group::"staff".color == "red" };"#;
    let policies = policies(text);
    for (thing, attribute) in [
        (Named::Object("Money", "7"), "open"),
        (Named::Group("staff"), "level"),
        (Named::Group("other"), "color"),
        (Named::Organization("any"), "level"),
        (doc, "risk"),
        (Named::User("u"), "risk"),
    ] {
        assert!(
            !policies.read(thing, attribute, false),
            "{thing:?} {attribute}"
        );
    }
    for condition in [
        "principal == context.who",
        r#"principal in Group::"staff""#,
        r#"principal in [Group::"staff", Role::"clerk"]"#,
        r#"principal is User in Organization::"acme""#,
    ] {
        // What is written out is guarded by its name.
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let policies = super::analysis_tests::policies(&text);
        assert!(!policies.read(Named::User("u"), ORG, false), "{text}");
    }
    // A resource whose type cannot be written in a policy.
    let open = "permit(principal, action, resource) when { resource.open };";
    assert!(super::analysis_tests::policies(open).read(Named::Object("urn:x", "1"), "open", false));
}

#[test]
fn what_the_scope_says_of_the_resource_bounds_what_is_read() {
    let reads = |scope: &str, kind: &str, id: &str| {
        let text = format!("permit({scope}) when {{ resource.open }};");
        policies(&text).read(Named::Object(kind, id), "open", false)
    };
    let one = r#"principal, action, resource == Document::"7""#;
    assert!(reads(one, "Document", "7"));
    assert!(!reads(one, "Document", "8") && !reads(one, "Money", "7"));
    let kind = "principal, action, resource is Document";
    assert!(reads(kind, "Document", "7") && !reads(kind, "Money", "7"));
    // What it says of the principal does not.
    for principal in [r#"principal == User::"u""#, "principal is User"] {
        let scope = format!("{principal}, action, resource");
        assert!(reads(&scope, "Document", "7"), "{scope}");
    }
}

#[test]
fn what_is_too_deep_to_read_names_and_reads_everything() {
    let sum = vec!["context.n"; 300].join(" + ");
    let way = format!("context{}", ".n".repeat(300));
    for deep in [sum, way] {
        let text = format!("permit(principal, action, resource) when {{ {deep} == 7 }};");
        let policies = policies(&text);
        assert!(policies.name(Named::Role("any"), false));
        assert!(policies.read(Named::Group("any"), "any", false));
        assert!(policies.speak_of_clients());
    }
    // A chain is not deep.
    let chain = vec!["context.x"; 250].join(" || ");
    let text = format!("permit(principal, action, resource) when {{ {chain} }};");
    let policies = super::analysis_tests::policies(&text);
    assert!(!policies.name(Named::Role("any"), false));
}

#[test]
fn a_policy_asks_about_clients_however_it_is_written() {
    let asks = |condition: &str| {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        policies(&text).speak_of_clients()
    };
    assert!(asks("context.client.trusted"));
    assert!(asks("context[\"cl\\u{69}ent\"] has trusted"));
    assert!(asks("context.client == Client::\"desk\""));
    assert!(asks("Client::\"desk\".trusted"));
    assert!(asks("[Client::\"desk\"].contains(context.who)"));
    assert!(!asks("context.client_id == \"client\""));
    assert!(!asks("principal.level == 3"));
    assert!(!asks("Group::\"staff\".level == 3"));
}
