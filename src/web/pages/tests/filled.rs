//! Every page and state with one text in every field.

use super::*;
use crate::crypto::secret::PlainToken;
use crate::service::administration::demo::DemoCredentials;
use crate::web::playground::PlaygroundPage;

/// Every page under its name.
pub(super) fn pages_of(text: &str) -> Vec<(&'static str, String)> {
    let document = reference::document(text);
    let reference = vec![
        ("reference", reference::drawn(layout(text), text, text)),
        (
            "reference-group",
            reference::drawn_group(layout(text), &document),
        ),
    ];
    [
        flow_pages(text),
        other_pages(text),
        vec![("playground", playground(layout(text), text))],
        reference,
    ]
    .concat()
}

fn layout(text: &str) -> Layout {
    Layout {
        brand: text.to_owned(),
        title: text.to_owned(),
        request_id: Some(text.to_owned()),
        lang: "en".to_owned(),
    }
}

fn flow_pages(text: &str) -> Vec<(&'static str, String)> {
    let t = || text.to_owned();
    let some = || Some(text.to_owned());
    let pair = || (text.to_owned(), text.to_owned());
    vec![
        (
            "login",
            html(&LoginPage {
                layout: layout(text),
                flow: t(),
                csrf: t(),
                client_name: some(),
                client_logo: some(),
                username: t(),
                error: some(),
                reauthenticate: false,
                cancel: true,
                policy_uri: some(),
                tos_uri: some(),
            }),
        ),
        (
            "select",
            html(&SelectAccountPage {
                layout: layout(text),
                flow: t(),
                csrf: t(),
                client_name: some(),
                client_logo: some(),
                account: t(),
            }),
        ),
        (
            "consent",
            html(&ConsentPage {
                layout: layout(text),
                flow: t(),
                csrf: t(),
                client_name: t(),
                client_logo: some(),
                client_uri: some(),
                policy_uri: some(),
                tos_uri: some(),
                account: t(),
                scopes: vec![
                    ScopeLine::of(text),
                    ScopeLine {
                        name: t(),
                        text: t(),
                        detail: some(),
                    },
                ],
                resources: vec![ResourceLine {
                    identifier: t(),
                    name: some(),
                }],
                redirect_host: t(),
            }),
        ),
        (
            "logout",
            html(&LogoutPage {
                layout: layout(text),
                csrf: t(),
                client_name: some(),
                account: some(),
                means_another: true,
                left_out: some(),
                hidden: vec![pair()],
            }),
        ),
        (
            "signed-out",
            html(&SignedOutPage {
                layout: layout(text),
                return_to: Some(pair()),
                left_out: some(),
            }),
        ),
    ]
}

fn other_pages(text: &str) -> Vec<(&'static str, String)> {
    let t = || text.to_owned();
    let some = || Some(text.to_owned());
    let pair = || (text.to_owned(), text.to_owned());
    vec![
        (
            "error",
            html(&ErrorPage {
                layout: layout(text),
                status: 400,
                heading: t(),
                message: t(),
                hint: some(),
                request_id: t(),
                code: some(),
            }),
        ),
        (
            "form-post",
            html(&FormPostPage {
                layout: layout(text),
                action: t(),
                fields: vec![pair()],
                client_name: some(),
            }),
        ),
        ("setup", setup(layout(text), text, false)),
        ("setup-done", setup(layout(text), text, true)),
        (
            "account",
            html(&AccountPage {
                layout: layout(text),
                csrf: t(),
                username: t(),
                name: some(),
                email: some(),
                signed_in_at: t(),
                apps: vec![AppLine {
                    client_id: t(),
                    name: t(),
                    scopes_text: t(),
                    since: t(),
                    csrf: t(),
                }],
            }),
        ),
    ]
}

pub(super) fn setup(layout: Layout, text: &str, done: bool) -> String {
    html(&SetupPage {
        layout,
        token: text.to_owned(),
        csrf: text.to_owned(),
        username: text.to_owned(),
        error: Some(text.to_owned()),
        done,
    })
}

pub(super) fn playground(layout: Layout, issuer: &str) -> String {
    let demo = DemoCredentials {
        url: "http://localhost:8080/playground".to_owned(),
        username: "demo",
        password: "demo-password",
        client_id: "playground",
        scope: "openid profile email offline_access",
        api_client_id: "playground-api",
        api_client_secret: PlainToken::new("\"><script>"),
    };
    html(&PlaygroundPage {
        layout,
        issuer,
        demo: &demo,
    })
}
