//! `signet policy check|test`: decisions over what was applied.

use std::process::Output;

use serde_json::Value;

use crate::support::engines::on_every_engine;
use crate::support::server::Server;

const DOCUMENT: &str = r#"
[[roles]]
name = "employee"
permissions = ["canteen:*"]

[[roles]]
name = "support"
parents = ["employee"]
permissions = ["order:read", "order:refund"]

[[policies]]
id = "own-department"
cedar = 'permit(principal, action == Action::"read", resource is Document) when { principal.department == resource.department };'

[[policies]]
id = "no-secrets"
cedar = 'forbid(principal, action, resource) when { resource has secret && resource.secret };'

[[users]]
username = "sally"
password = "correct horse battery staple"
roles = ["support"]
attributes = { department = "sales" }
"#;

fn check(server: &Server, arguments: &[&str]) -> (Option<i32>, Value) {
    let all: Vec<&str> = ["--json", "policy", "check"]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    let Output { status, stdout, .. } = server.signet(&all);
    (
        status.code(),
        serde_json::from_slice(&stdout).unwrap_or_default(),
    )
}

fn question<'a>(action: &'a str, resource: &'a str) -> Vec<&'a str> {
    vec![
        "--subject",
        "sally",
        "--action",
        action,
        "--resource",
        resource,
    ]
}

on_every_engine! {
    async fn roles_and_policies_decide_and_say_why(server: Server) {
        server.apply(DOCUMENT);

        let (code, answer) = check(&server, &question("eat", "canteen:1"));
        assert_eq!((code, &answer["decision"]), (Some(0), &Value::Bool(true)));
        assert_eq!(answer["reasons"][0]["kind"], "role");
        assert_eq!(answer["reasons"][0]["role"], "support");
        assert_eq!(answer["reasons"][0]["granted_by"], "employee");

        let sales = r#"{"department":"sales"}"#;
        let mut own = question("read", "Document:42");
        own.extend(["--attributes", sales]);
        let (code, answer) = check(&server, &own);
        assert_eq!((code, &answer["reasons"][0]["policy"]), (Some(0), &Value::from("own-department")));

        let mut secret = question("read", "Document:42");
        secret.extend(["--attributes", r#"{"department":"sales","secret":true}"#]);
        let (code, answer) = check(&server, &secret);
        assert_eq!(code, Some(1));
        assert_eq!(answer["reasons"][0]["kind"], "forbid");

        let mut missing = question("ship", "order:7");
        let (code, answer) = check(&server, &missing);
        assert_eq!((code, answer["reasons"].as_array().unwrap().len()), (Some(1), 1));
        missing.push("--why");
        server.apply("[[roles]]\nname = \"shipping\"\npermissions = [\"order:ship\"]\n");
        let (_, answer) = check(&server, &missing);
        assert_eq!(answer["reasons"][1]["roles"][0], "shipping");

        let (code, answer) = check(&server, &["--subject", "nobody", "--action", "read", "--resource", "order:7"]);
        assert_eq!((code, &answer["reasons"][0]["kind"]), (Some(1), &Value::from("unknown_subject")));
    }

    async fn what_is_taken_away_is_gone_and_the_disabled_may_do_nothing(server: Server) {
        server.apply(DOCUMENT);
        assert_eq!(check(&server, &question("refund", "order:7")).0, Some(0));
        server.apply("[[users]]\nusername = \"sally\"\nroles = [\"employee\"]\n");
        assert_eq!(check(&server, &question("refund", "order:7")).0, Some(1));
        assert_eq!(check(&server, &question("eat", "canteen:1")).0, Some(0));
        server.signet_ok(&["user", "disable", "sally"]);
        let (code, answer) = check(&server, &question("eat", "canteen:1"));
        assert_eq!((code, &answer["reasons"][0]["kind"]), (Some(1), &Value::from("disabled")));
    }

    async fn groups_levels_and_organizations_decide(server: Server) {
        let document = format!(r#"{DOCUMENT}
            groups = ["berlin"]
            organizations = ["acme"]
            levels = {{ "Document:1" = "read" }}

            [[organizations]]
            name = "acme"

            [[groups]]
            name = "germany"
            roles = ["support"]
            levels = {{ "Document:2" = "delete" }}

            [[groups]]
            name = "berlin"
            parents = ["germany"]

            [[objects]]
            resource = "Document:3"
            organization = "acme"
            attributes = {{ department = "sales" }}

            [[policies]]
            id = "members"
            cedar = 'permit(principal, action == Action::"print", resource) when {{ resource has organization && principal in Organization::"acme" && resource.organization == "acme" }};'

            [[users]]
            username = "bob"
            groups = ["berlin"]
        "#);
        server.apply(&document);
        assert!(server.apply(&document).contains("Nothing to change"), "applying twice changes nothing");

        for (action, resource, allowed) in [
            ("read", "Document:1", true),
            ("write", "Document:1", false),
            ("write", "Document:2", true),
            ("share", "Document:2", false),
            ("read", "Document:3", true),
            ("print", "Document:3", true),
            ("print", "Document:4", false),
        ] {
            let (code, answer) = check(&server, &question(action, resource));
            assert_eq!(code, Some(i32::from(!allowed)), "{action} {resource}: {answer}");
        }
        let bob = |action, resource| check(&server, &["--subject", "bob", "--action", action, "--resource", resource]);
        let (code, answer) = bob("refund", "order:1");
        assert_eq!((code, &answer["reasons"][0]["group"]), (Some(0), &Value::from("germany")));
        assert_eq!(bob("print", "Document:3").0, Some(1));

        // Of the caller's word and the store's, the store's counts.
        let mut lying = question("print", "Document:3");
        lying.extend(["--attributes", r#"{"organization":"evil"}"#]);
        assert_eq!(check(&server, &lying).0, Some(0));

        server.apply("[[users]]\nusername = \"bob\"\ngroups = []\n");
        assert_eq!(bob("refund", "order:1").0, Some(1));

        let refused = |text: &str| {
            let file = server.directory().join("refused.toml");
            std::fs::write(&file, text).unwrap();
            let output = server.signet(&["apply", "-f", file.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(1), "{text}");
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        assert!(refused("[[groups]]\nname = \"germany\"\nparents = [\"berlin\"]\n").contains("own parents"));
        assert!(refused("[[groups]]\nname = \"x\"\nroles = [\"nowhere\"]\n").contains("there is no role"));
        assert!(refused("[[users]]\nusername = \"bob\"\nlevels = { Document = \"read\" }\n").contains("Document:42"));
        assert!(refused("[[objects]]\nresource = \"Document:9\"\norganization = \"nowhere\"\n").contains("no organization"));
    }

    async fn a_role_for_one_organization_until_a_time_is_applied_once(server: Server) {
        let document = |until: &str, role: &str| format!(r#"
            [[organizations]]
            name = "acme"

            [[roles]]
            name = "manager"
            permissions = ["order:refund"]

            [[groups]]
            name = "berlin"
            roles = [{{ role = "manager", organization = "acme", until = {until} }}]

            [[users]]
            username = "sally"
            roles = [{role}]

            [[users]]
            username = "bob"
            groups = ["berlin"]

            [[objects]]
            resource = "order:1"
            organization = "acme"
        "#);
        let managing = r#"{ role = "manager", organization = "acme", until = 2999-01-01T00:00:00Z }"#;
        let first = document("2998-01-01T00:00:00+01:00", managing);
        server.apply(&first);
        assert!(server.apply(&first).contains("Nothing to change"));
        // The same time, as text and in another zone.
        let same = document("\"2997-12-31T23:00:00Z\"", managing);
        assert!(server.apply(&same).contains("Nothing to change"));

        let ask = |who, resource| check(&server, &["--subject", who, "--action", "refund", "--resource", resource, "--why"]);
        let (code, answer) = ask("sally", "order:1");
        assert_eq!((code, &answer["reasons"][0]["organization"]), (Some(0), &Value::from("acme")));
        assert_eq!(ask("bob", "order:1").0, Some(0));
        let (code, answer) = ask("sally", "order:2");
        assert_eq!((code, &answer["reasons"][1]["kind"]), (Some(1), &Value::from("other_organization")));

        // An end that has passed is told, and counts at once.
        let ended = document("2020-01-01T00:00:00Z", managing);
        let told = server.apply(&ended);
        assert!(told.contains("changed    group     berlin (roles)"), "{told}");
        assert!(told.contains("warning: group \"berlin\": the role manager for organization acme ended at 2020-01-01T00:00:00Z"), "{told}");
        let (code, answer) = ask("bob", "order:1");
        assert_eq!((code, &answer["reasons"][1]["kind"]), (Some(1), &Value::from("expired")));

        // Said without an organization, it is another assignment, and the first one goes.
        let told = server.apply(&document("2020-01-01T00:00:00Z", "\"manager\""));
        assert!(told.contains("changed    user      sally (roles)"), "{told}");
        assert_eq!(ask("sally", "order:2").0, Some(0));

        let refused = |role: &str| {
            let file = server.directory().join("refused.toml");
            std::fs::write(&file, document("2999-01-01T00:00:00Z", role)).unwrap();
            let output = server.signet(&["apply", "--dry-run", "-f", file.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(1), "{role}");
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        for (role, problem) in [
            (r#"{ role = "manager", organization = "acne" }"#, "there is no organization \"acne\"; did you mean \"acme\"?"),
            (r#"{ role = "manger" }"#, "there is no role \"manger\"; did you mean \"manager\"?"),
            (r#"{ role = "manager", until = 2999-01-01T00:00:00 }"#, "with its zone, such as 2027-01-01T00:00:00Z"),
            (r#"{ role = "manager", until = "tomorrow" }"#, "with its zone"),
            (r#"{ role = "manager", org = "acme" }"#, "unknown key `org` in roles; did you mean `organization`?"),
            (r#"{ organization = "acme" }"#, "a table in `roles` has no `role`"),
            (r#""manager", { role = "manager", until = 2999-01-01T00:00:00Z }"#, "manager is there twice"),
            ("7", "expected the name of a role"),
        ] {
            let told = refused(role);
            assert!(told.contains(problem), "{role}: {told}");
        }
    }

    async fn declared_attributes_hold_policies_and_values_to_their_types(server: Server) {
        let declared = r#"
            [[attributes]]
            of = "user"
            name = "department"
            type = "string"
            required = true

            [[users]]
            username = "alice"
            attributes = { department = "hr" }

            [[users]]
            username = "bob"
            attributes = { department = "hr" }

            [[attributes]]
            of = "user"
            name = "level"
            type = "long"

            [[attributes]]
            of = "Document"
            name = "department"
            type = "string"
        "#;
        let refused = |text: &str| {
            let file = server.directory().join("refused.toml");
            std::fs::write(&file, text).unwrap();
            let output = server.signet(&["apply", "-f", file.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(1), "{text}");
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        // Undeclared first, as in DESIGN §7; then declared, with the same policy.
        server.apply(DOCUMENT);
        server.apply(declared);
        assert!(server.apply(declared).contains("Nothing to change"));
        assert!(server.apply(DOCUMENT).contains("Nothing to change"));

        for (text, problem) in [
            ("[[policies]]\nid = \"p\"\ncedar = 'permit(principal, action, resource is Document) when { principal.departmnt == \"a\" };'\n",
             "line 1, column 56: attribute `departmnt` on entity type `User` not found (did you mean `department`?)"),
            ("[[policies]]\nid = \"p\"\ncedar = 'permit(principal, action, resource) when { principal.level == \"3\" };'\n", "are not compatible"),
            ("[[policies]]\nid = \"p\"\ncedar = 'permit(principal in Grup::\"a\", action, resource);'\n", "did you mean Group?"),
            ("[[users]]\nusername = \"sally\"\nattributes = { department = \"sales\", level = \"high\" }\n", "level: \"high\" is declared as long"),
            ("[[users]]\nusername = \"sally\"\nattributes = { level = 3 }\n", "department: it is missing"),
            ("[[users]]\nusername = \"new\"\n", "department: it is missing"),
            ("[[objects]]\nresource = \"Document:1\"\nattributes = { department = 7 }\n", "department: 7 is declared as string"),
            // What is stored goes before a new declaration.
            ("[[attributes]]\nof = \"user\"\nname = \"department\"\ntype = \"long\"\n", "user \"alice\" contradicts it: \"hr\" is declared as long"),
            ("[[attributes]]\nof = \"user\"\nname = \"badge\"\ntype = \"long\"\nrequired = true\n", "user \"alice\" contradicts it: it is missing"),
            ("[[attributes]]\nof = \"Document\"\nname = \"department\"\ntype = \"bool\"\n", "policy \"own-department\": cedar: it would not be valid any more"),
            ("[[attributes]]\nof = \"user\"\nname = \"email\"\ntype = \"string\"\n", "Signet itself"),
            ("[[attributes]]\nof = \"no name\"\nname = \"x\"\ntype = \"string\"\n", "cannot be a type in policies"),
            ("[[attributes]]\nof = \"user\"\nname = \"x\"\ntype = \"text\"\n", "expected string, long, bool"),
            ("[[attributes]]\nof = \"user\"\nname = \"x\"\ntype = \"string\"\n[[attributes]]\nof = \"user\"\nname = \"x\"\ntype = \"long\"\n", "is there twice"),
        ] {
            let told = refused(text);
            assert!(told.contains(problem), "{text}: {told}");
        }
        let told = server.apply("[[attributes]]\nof = \"user\"\nname = \"level\"\ntype = \"decimal\"\n");
        assert!(told.contains("changed    attribute user.level (type)"), "{told}");
        assert_eq!(check(&server, &["--subject", "sally", "--action", "refund", "--resource", "order:7"]).0, Some(0));

        let file = server.directory().join("p.cedar");
        let validate = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let output = server.signet(&["--json", "policy", "validate", file.to_str().unwrap()]);
            let told: Value = serde_json::from_slice(&output.stdout).unwrap();
            (output.status.code(), told)
        };
        assert_eq!(validate("permit(principal, action, resource);").0, Some(0));
        let (code, told) = validate("permit(principal, action, resource)\nwhen { principal.levl == 3 };");
        assert_eq!((code, &told["error"]["line"], &told["error"]["column"]), (Some(1), &Value::from(2), &Value::from(8)));
        assert_eq!(told["error"]["hint"], "did you mean `level`?");
        let output = server.signet(&["policy", "validate", file.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(told.contains("    when { principal.levl == 3 };\n           ^"), "{told}");
    }

    async fn groups_organizations_and_clients_have_attributes(server: Server) {
        let document = |floor: u8| format!(r#"{DOCUMENT}
            groups = ["berlin"]
            organizations = ["acme"]

            [[organizations]]
            name = "acme"
            attributes = {{ plan = "gold" }}

            [[groups]]
            name = "berlin"
            attributes = {{ floor = {floor} }}

            [[clients]]
            client_id = "partner"
            grant_types = ["client_credentials"]
            attributes = {{ partner = true }}

            [[objects]]
            resource = "Lift:1"
            organization = "acme"

            [[policies]]
            id = "lift"
            cedar = 'permit(principal in Group::"berlin", action == Action::"call", resource is Lift) when {{ Group::"berlin".floor > 2 && resource.org.plan == "gold" && principal in resource.org }};'

            [[policies]]
            id = "partners"
            cedar = 'permit(principal, action == Action::"share", resource) when {{ context has client && context.client.partner }};'
        "#);
        server.apply(&document(3));
        assert!(server.apply(&document(3)).contains("Nothing to change"));
        assert_eq!(check(&server, &question("call", "Lift:1")).0, Some(0));
        assert_eq!(check(&server, &question("call", "Lift:2")).0, Some(1));
        let told = server.apply(&document(1));
        assert!(told.contains("changed    group     berlin (attributes)"), "{told}");
        assert_eq!(check(&server, &question("call", "Lift:1")).0, Some(1));

        for (context, allowed) in [
            (r#"{"client_id":"partner"}"#, true),
            (r#"{"client_id":"nobody"}"#, false),
            ("{}", false),
        ] {
            let mut share = question("share", "Document:1");
            share.extend(["--context", context]);
            assert_eq!(check(&server, &share).0, Some(i32::from(!allowed)), "{context}");
        }
    }

    async fn the_administrators_role_keeps_its_permission(server: Server) {
        server.apply("[[roles]]\nname = \"admin\"\n\n[[users]]\nusername = \"root\"\nroles = [\"admin\"]\n");
        let (code, answer) = check(&server, &["--subject", "root", "--action", "anything", "--resource", "signet:1"]);
        assert_eq!(code, Some(0), "{answer}");
        let (code, _) = check(&server, &["--subject", "root", "--action", "read", "--resource", "Document:1"]);
        assert_eq!(code, Some(1), "administrating Signet is not everything");
    }

    async fn a_table_of_questions_is_a_test(server: Server) {
        server.apply(DOCUMENT);
        let file = server.directory().join("policy-tests.toml");
        let table = |expect: &str| format!(r#"
            [[tests]]
            subject = "sally"
            action = "read"
            resource = "Document:42"
            attributes = {{ department = "sales" }}
            expect = "allow"

            [[tests]]
            subject = "sally"
            action = "delete"
            resource = "Document:42"
            expect = "{expect}"
        "#);
        let run = |text: &str| {
            std::fs::write(&file, text).unwrap();
            server.signet(&["policy", "test", file.to_str().unwrap()])
        };
        let passed = run(&table("deny"));
        assert_eq!(passed.status.code(), Some(0), "{passed:?}");
        assert!(String::from_utf8_lossy(&passed.stdout).contains("2 passed, 0 failed"));
        let failed = run(&table("allow"));
        assert_eq!(failed.status.code(), Some(1));
        let said = String::from_utf8_lossy(&failed.stdout).into_owned();
        assert!(said.contains("sally delete Document:42: expected allow, decided deny"), "{said}");
        assert_eq!(run("[[tests]]\nsubject = \"sally\"\n").status.code(), Some(1));
        assert_eq!(run("").status.code(), Some(1));
    }
}

#[tokio::test]
async fn a_policy_with_a_mistake_is_refused_with_its_place() {
    let server = Server::start(crate::support::engines::Engine::Sqlite);
    let file = server.directory().join("broken.toml");
    let text = "[[policies]]\nid = \"p\"\ncedar = '''\npermit(principal, action, resource)\nwhen { principal.x = 1 };\n'''\n";
    std::fs::write(&file, text).unwrap();
    let refused = server.signet(&["apply", "-f", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("line 2, column"), "{said}");
}
