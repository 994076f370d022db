//! Where a sign-in may lead, by attack, and how it is written.

use proptest::prelude::*;
use serde_json::json;
use url::Url;

use super::*;

fn refused(paths: &[&str]) {
    for path in paths {
        assert_eq!(OwnPath::parse(path), None, "{path}");
        let sealed = json!({ "path": path, "started_at": 1, "browser": null });
        assert!(serde_json::from_value::<Pending>(sealed).is_err(), "{path}");
    }
}

#[test]
fn pages_of_our_own_parse() {
    for path in ["/account", "/account/passkeys", "/account/a/b-2"] {
        assert_eq!(OwnPath::parse(path).unwrap().as_str(), path);
    }
    assert_eq!(OwnPath::parse("/account"), Some(OwnPath::account()));
}

#[test]
fn another_host_is_no_page_of_ours_cwe601() {
    refused(&[
        "//attacker.test",
        "//attacker.test/account",
        "///attacker.test",
        "/account//attacker.test",
        "https://attacker.test/account",
        "https:attacker.test",
        "attacker.test/account",
        "@attacker.test",
        "/account@attacker.test",
        "/account:80",
    ]);
}

#[test]
fn a_backslash_is_no_slash_cwe601() {
    refused(&[
        "\\\\attacker.test",
        "/\\attacker.test",
        "/account\\attacker.test",
        "\\account",
    ]);
}

#[test]
fn encoded_and_invisible_characters_are_refused_cwe601() {
    refused(&[
        "/%2fattacker.test",
        "/account/%2e%2e/admin",
        "/%5cattacker.test",
        "/\t/attacker.test",
        "/account\r\nLocation: https://attacker.test",
        "/account\0",
        "/account ",
        " /account",
        "/\u{ff0f}attacker.test",
        "/account\u{2f3c}",
    ]);
}

#[test]
fn other_pages_dots_queries_and_fragments_are_refused() {
    refused(&[
        "",
        "/",
        "/login",
        "/logout",
        "/authorize",
        "/accounts",
        "/account/",
        "/account/../logout",
        "/account/./x",
        "/account?next=//attacker.test",
        "/account#x",
        "/Account",
        "javascript:alert(1)",
    ]);
    refused(&[&format!("/account/{}", "a".repeat(MAX_PATH))]);
}

#[test]
fn a_request_is_written_where_the_version_before_reads_it() {
    let params = vec![("client_id".to_owned(), "web".to_owned())];
    let pending = Pending::begin(Purpose::Authorize { params }, Some([7; 32]), Ts(5));
    let browser = [7_u8; 32];
    let written = serde_json::to_value(&pending).unwrap();
    let before = json!({ "params": [["client_id", "web"]], "started_at": 5, "browser": browser });
    assert_eq!(written, before);
    let read: Pending = serde_json::from_value(before).unwrap();
    assert_eq!(read.purpose, pending.purpose);
    assert_eq!(read.parameter("client_id"), Some("web"));
}

proptest! {
    #[test]
    fn whatever_parses_stays_on_this_site(path in "[/\\\\a-z.%:@?#\\- \t0-9]{0,30}", tail in ".{0,20}") {
        let issuer = Url::parse("https://id.example.test/").unwrap();
        for path in [path.clone(), format!("/account{path}"), format!("/account/{tail}")] {
            if let Some(own) = OwnPath::parse(&path) {
                let target = issuer.join(own.as_str()).unwrap();
                prop_assert_eq!(target.origin(), issuer.origin());
                prop_assert_eq!(target.path(), own.as_str());
                prop_assert!(target.query().is_none() && target.fragment().is_none());
            }
        }
    }
}
