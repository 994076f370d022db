//! The pages as people usually see them, and as they look at their worst.

use super::*;

const LOGO: &str = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCA0MCA0MCI+PHJlY3Qgd2lkdGg9IjQwIiBoZWlnaHQ9IjQwIiBmaWxsPSIjZjU5ZTBiIi8+PHBhdGggZD0iTTEyIDE2aDE2bC0yIDE0SDE0eiIgZmlsbD0iI2ZmZiIvPjwvc3ZnPg==";
const LONG: &str =
    "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft";

fn layout(title: &str) -> Layout {
    Layout {
        request_id: Some("01JD8Q4T9X7M".to_owned()),
        ..Layout::new("Signet", title)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the fields are options")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(super) fn login(error: Option<&str>, cancel: bool) -> String {
    html(&LoginPage {
        layout: layout("Sign in"),
        flow: "sealed".to_owned(),
        csrf: "csrf".to_owned(),
        client_name: some("Web shop"),
        client_logo: some(LOGO),
        username: error.map_or(String::new(), |_| "alice".to_owned()),
        error: error.map(str::to_owned),
        reauthenticate: false,
        cancel,
        policy_uri: some("https://shop.example/privacy"),
        tos_uri: some("https://shop.example/terms"),
    })
}

/// Every page under the name of its file.
pub(super) fn pages() -> Vec<(&'static str, String)> {
    let about = "What it `is`, see [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457).";
    let reference = vec![
        ("reference", reference::drawn(layout("API"), about, "")),
        (
            "reference-long",
            reference::drawn(layout("API"), LONG, LONG),
        ),
        (
            "reference-group",
            reference::drawn_group(layout("API"), &reference::document(about)),
        ),
    ];
    [
        pages_of_a_sign_in(),
        pages_of_a_sign_out(),
        more_pages(),
        reference,
    ]
    .concat()
}

fn pages_of_a_sign_in() -> Vec<(&'static str, String)> {
    vec![
        ("login", login(None, true)),
        (
            "login-error",
            login(Some("The username or the password is not right."), true),
        ),
        ("login-again", login_plain(true)),
        ("login-plain", login_plain(false)),
        (
            "select-account",
            html(&SelectAccountPage {
                layout: layout("Choose an account"),
                flow: "sealed".to_owned(),
                csrf: "csrf".to_owned(),
                client_name: some("Web shop"),
                client_logo: None,
                account: "alice".to_owned(),
            }),
        ),
        (
            "consent",
            consent(
                "Web shop",
                "alice",
                "shop.example",
                &[
                    "openid",
                    "profile",
                    "email",
                    "offline_access",
                    "orders:read",
                ],
            ),
        ),
        (
            "consent-long",
            consent(LONG, LONG, LONG, &[LONG, "address", "phone"]),
        ),
        (
            "consent-rtl",
            consent(
                "\u{202e}متجر الويب",
                "مرحبا",
                "shop.example:8443",
                &["openid"],
            ),
        ),
    ]
}

fn pages_of_a_sign_out() -> Vec<(&'static str, String)> {
    vec![
        (
            "logout",
            html(&LogoutPage {
                layout: layout("Sign out"),
                csrf: "csrf".to_owned(),
                client_name: some("Web shop"),
                account: some("alice"),
                means_another: false,
                left_out: None,
                hidden: pairs(&[("client_id", "web"), ("state", "x")]),
            }),
        ),
        (
            "logout-left-out",
            html(&LogoutPage {
                layout: layout("Sign out"),
                csrf: "csrf".to_owned(),
                client_name: some("Web shop"),
                account: some("alice"),
                means_another: true,
                left_out: some(LEFT_OUT),
                hidden: pairs(&[("client_id", "web")]),
            }),
        ),
        (
            "logout-elsewhere",
            html(&LogoutPage {
                layout: layout("Sign out"),
                csrf: "csrf".to_owned(),
                client_name: some("Web shop"),
                account: None,
                means_another: false,
                left_out: None,
                hidden: pairs(&[("client_id", "web")]),
            }),
        ),
        (
            "signed-out",
            html(&SignedOutPage {
                layout: layout("Signed out"),
                return_to: Some(("https://shop.example/".to_owned(), "Web shop".to_owned())),
                left_out: None,
            }),
        ),
        (
            "signed-out-left-out",
            html(&SignedOutPage {
                layout: layout("Signed out"),
                return_to: None,
                left_out: some(LEFT_OUT),
            }),
        ),
        (
            "error",
            html(&ErrorPage {
                layout: Layout::new("Signet", "This sign-in has expired"),
                status: 400,
                heading: "This sign-in has expired".to_owned(),
                message: "It was begun more than an hour ago, or in another browser.".to_owned(),
                hint: some("Go back to the application and start again."),
                request_id: "01JD8Q4T9X7M".to_owned(),
                code: some("invalid_request"),
            }),
        ),
    ]
}

fn more_pages() -> Vec<(&'static str, String)> {
    vec![
        (
            "form-post",
            html(&FormPostPage {
                layout: layout("Returning"),
                action: "https://shop.example/callback".to_owned(),
                fields: pairs(&[
                    ("code", "sgc_abc"),
                    ("state", "x"),
                    ("iss", "http://localhost:8080"),
                ]),
                client_name: some("Web shop"),
            }),
        ),
        ("setup", first_administrator("", None, false)),
        (
            "setup-error",
            first_administrator("admin", some("The two passwords are not the same."), false),
        ),
        ("setup-done", first_administrator("admin", None, true)),
        ("account", account(some("Alice Example"), apps())),
        ("account-empty", account(None, Vec::new())),
        (
            "playground",
            playground(layout("Playground"), "http://localhost:8080"),
        ),
    ]
}

fn login_plain(reauthenticate: bool) -> String {
    html(&LoginPage {
        layout: layout("Sign in"),
        flow: "sealed".to_owned(),
        csrf: "csrf".to_owned(),
        client_name: reauthenticate.then(|| "Web shop".to_owned()),
        client_logo: None,
        username: if reauthenticate {
            "alice".to_owned()
        } else {
            String::new()
        },
        error: None,
        reauthenticate,
        cancel: reauthenticate,
        policy_uri: None,
        tos_uri: None,
    })
}

fn consent(client: &str, account: &str, host: &str, scopes: &[&str]) -> String {
    html(&ConsentPage {
        layout: layout("Allow access"),
        flow: "sealed".to_owned(),
        csrf: "csrf".to_owned(),
        client_name: client.to_owned(),
        client_logo: (client == "Web shop").then(|| LOGO.to_owned()),
        client_uri: some("https://shop.example/"),
        policy_uri: some("https://shop.example/privacy"),
        tos_uri: some("https://shop.example/terms"),
        account: account.to_owned(),
        scopes: scopes.iter().map(|scope| ScopeLine::of(scope)).collect(),
        resources: vec![ResourceLine {
            identifier: "https://orders.example".to_owned(),
            name: some("Orders"),
        }],
        redirect_host: host.to_owned(),
    })
}

fn first_administrator(username: &str, error: Option<String>, done: bool) -> String {
    html(&SetupPage {
        layout: layout("Set up"),
        token: "token".to_owned(),
        csrf: "csrf".to_owned(),
        username: username.to_owned(),
        error,
        done,
    })
}

fn account(name: Option<String>, apps: Vec<AppLine>) -> String {
    html(&AccountPage {
        layout: layout("Your account"),
        csrf: "csrf".to_owned(),
        username: "alice".to_owned(),
        email: name.as_ref().map(|_| "alice@example.test".to_owned()),
        name,
        signed_in_at: "today at 14:02 UTC".to_owned(),
        apps,
    })
}

fn apps() -> Vec<AppLine> {
    [
        (
            "web",
            "Web shop",
            "Your profile, email address; access while you are away",
        ),
        ("cal", "Team calendar", "Your profile"),
        ("long", LONG, LONG),
    ]
    .into_iter()
    .map(|(client_id, name, scopes_text)| AppLine {
        client_id: client_id.to_owned(),
        name: name.to_owned(),
        scopes_text: scopes_text.to_owned(),
        since: "21 November 2025".to_owned(),
        csrf: "csrf".to_owned(),
    })
    .collect()
}

const LEFT_OUT: &str = "post_logout_redirect_uri is not one that this application has registered: sent was \
    https://shop.example/signed-out/, the nearest that is registered is https://shop.example/signed-out (it differs by \
    the final /).";
