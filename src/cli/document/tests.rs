use super::*;
use crate::spec::client_metadata::RefreshTokenRotation;

const DESIGN: &str = r#"
[[resources]]
identifier = "https://api.example.test"
scopes = ["orders:read", "orders:write"]

[[clients]]
client_id = "web"
client_secret = "a-long-random-secret-of-the-operator"    # optional
client_name = "Web shop"
redirect_uris = ["http://127.0.0.1:9000/callback"]
post_logout_redirect_uris = ["http://127.0.0.1:9000/"]
grant_types = ["authorization_code", "refresh_token", "client_credentials"]
token_endpoint_auth_method = "client_secret_basic"
scope = "openid profile email offline_access orders:read"
require_pkce = true
first_party = false
may_introspect = false
access_token_lifetime = "10m"
refresh_token_rotation = "none"
jwks = { keys = [{ kty = "EC", crv = "P-256" }] }

[[users]]
username = "alice"
password = "correct horse battery staple"
email = "alice@example.test"
email_verified = true
name = "Alice Example"
roles = ["support"]
attributes = { department = "sales", level = 3 }
address = { locality = "Bern", country = "CH" }

[[roles]]
name = "support"
parents = ["employee"]
permissions = ["order:read", "order:refund"]

[[policies]]
id = "own-department"
cedar = 'permit(principal, action == Action::"read", resource is Document) when { principal.department == resource.department };'
"#;

fn problems(text: &str) -> Vec<String> {
    Written::parse(text, "site.toml").unwrap_err().problems
}

#[test]
fn the_documented_example_is_read() {
    let document = Written::parse(DESIGN, "site.toml").unwrap();
    let written = document;
    let document = &written.document;
    let (client, user) = (&document.clients[0], &document.users[0]);
    assert_eq!(
        client.secret.as_ref().unwrap().expose(),
        "a-long-random-secret-of-the-operator"
    );
    let metadata = &client.metadata;
    assert_eq!(metadata.access_token_lifetime, Some(600));
    assert_eq!(
        metadata.refresh_token_rotation,
        Some(RefreshTokenRotation::None)
    );
    assert_eq!(metadata.jwks.as_ref().unwrap()["keys"][0]["crv"], "P-256");
    assert_eq!(written.line(KindName::Client, "web"), Some(6));
    assert_eq!(user.attributes.as_ref().unwrap()["level"], 3);
    assert_eq!(
        user.claims.address.as_ref().unwrap().country.as_deref(),
        Some("CH")
    );
    assert!(document.policies[0].1.enabled);
    let empty = Written::parse("", "site.toml").unwrap();
    assert!(empty.document.clients.is_empty());
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?}", Written::parse(DESIGN, "site.toml").unwrap());
    assert!(
        !shown.contains("horse") && !shown.contains("a-long-random"),
        "{shown}"
    );
}

#[test]
fn unknown_keys_name_the_nearest_and_the_line_all_at_once() {
    let text = "[[clients]]\nclient_id = 'a'\nredirect_uri = ['x']\nzzzz = 1\n[[user]]\nusername = 'b'\n[[users]]\nusername = 'c'\naddress = { town = 'Bern', contry = 'CH' }\n";
    assert_eq!(
        problems(text),
        [
            "site.toml line 3: unknown key `redirect_uri` in [[clients]]; did you mean `redirect_uris`?",
            "site.toml line 4: unknown key `zzzz` in [[clients]]",
            "site.toml line 5: unknown key `user`; did you mean `users`?",
            "site.toml line 9: unknown key `town` in address",
            "site.toml line 9: unknown key `contry` in address; did you mean `country`?",
        ]
    );
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let twice = "[[users]]\nusername = 'Alice'\n[[users]]\nusername = 'alice'\n[[clients]]\nclient_id = 'a'\n[[clients]]\nclient_id = 'A'\n[[clients]]\nclient_id = 'a'";
    assert_eq!(
        problems(twice),
        [
            "site.toml line 4: `username` \"alice\" is there twice, first in line 2",
            "site.toml line 10: `client_id` \"a\" is there twice, first in line 6",
        ]
    );
}

#[test]
fn an_entry_needs_its_name_and_no_contradiction() {
    let text = "[[roles]]\n[[policies]]\nid = ' '\ncedar = ''\n[[users]]\nusername = 'a'\npassword = 'x'\npassword_hash = 'y'";
    assert_eq!(
        problems(text),
        [
            "site.toml line 1: an entry of [[roles]] has no `name`",
            "site.toml line 3: `id` is empty",
            "site.toml line 8: only one of `password` and `password_hash` may be set",
        ]
    );
}

#[test]
fn wrong_types_say_the_line_and_no_secret() {
    let of = |text: &str| problems(text).join("\n");
    assert!(
        of("[[clients]]\nclient_id = 'a'\nredirect_uris = 'x'").starts_with("site.toml line 3: ")
    );
    assert!(
        of("[[clients]]\nclient_id = 'a'\nrefresh_token_rotation = 'never'")
            .contains("`rotate` or `none`")
    );
    assert!(
        of("[[clients]]\nclient_id = 'a'\naccess_token_lifetime = '5x'")
            .contains("expected a duration")
    );
    assert!(
        of("[[clients]]\nclient_id = 'a'\naccess_token_lifetime = true")
            .contains("expected a duration")
    );
    let password = of("[[users]]\nusername = 'a'\npassword = 987654");
    assert!(
        password.contains("line 3") && !password.contains("987654"),
        "{password}"
    );
    assert!(of("clients = 5").contains("line 1"));
    assert!(of("[clients]\nclient_id = 'a'").contains("line 1"));
    assert!(of("clients = [5]").contains("line 1"));
    assert!(of("[[clients]\nclient_id = 'a'").contains("line 1: not valid TOML"));
    assert!(of("[[clients]]\nclient_id = 5").contains("line 2: client_id: invalid type"));
}

#[test]
fn names_and_permissions_are_read_once_and_all_mistakes_are_told() {
    let text = "[[resources]]\nidentifier = 'api'\nscope_permissions = { a = 'b' }\n\
        [[roles]]\nname = 'a b'\nparents = ['..']\npermissions = ['order']\n\
        [[policies]]\nid = 'a#1'\n[[attributes]]\nof = 'user'\nname = 'x'\ntype = 'text'\n";
    let said = problems(text);
    let places = [
        "line 1: resource \"api\": scope_permissions: ",
        "line 1: identifier: must be an absolute URI",
        "line 5: name: expected 1 to 255 bytes without spaces",
        "line 6: role \"a b\": parents: expected 1 to 255 bytes",
        "line 4: role \"a b\": permissions: \"order\": expected resource_type:action",
        "line 9: id: expected",
        "line 8: policy \"a#1\": cedar: missing field",
        "line 10: attribute \"x\": type: unknown \"text\"; expected string, long",
    ];
    for place in places {
        let place = format!("site.toml {place}");
        assert!(
            said.iter().any(|one| one.starts_with(&place)),
            "{place}: {said:#?}"
        );
    }
    assert_eq!(said.len(), places.len(), "{said:#?}");
}
