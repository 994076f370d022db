//! Every page and state with one text in every field.

use super::*;

/// Every page under its name.
pub(super) fn pages_of(text: &str) -> Vec<(&'static str, String)> {
    let reference = vec![("reference", reference::drawn(layout(text), text))];
    [
        flow_pages(text),
        other_pages(text),
        playground_pages(text),
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
                redirect_host: t(),
            }),
        ),
        (
            "logout",
            html(&LogoutPage {
                layout: layout(text),
                csrf: t(),
                client_name: some(),
                account: t(),
                hidden: vec![pair()],
            }),
        ),
        (
            "signed-out",
            html(&SignedOutPage {
                layout: layout(text),
                return_to: Some(pair()),
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

fn playground_pages(text: &str) -> Vec<(&'static str, String)> {
    let t = || text.to_owned();
    let some = || Some(text.to_owned());
    let pair = || (text.to_owned(), text.to_owned());
    vec![
        (
            "playground-intro",
            playground(layout(text), text, None, Vec::new()),
        ),
        (
            "playground",
            playground(
                layout(text),
                text,
                some(),
                vec![Step {
                    folded: false,
                    checks: vec![Check {
                        name: t(),
                        passed: false,
                        detail: t(),
                    }],
                    title: t(),
                    request: Some(Exchange {
                        method: t(),
                        url: format!("{text}?{text}&{text}={text}"),
                        headers: vec![pair()],
                        body: format!("{{\"{text}\": \"{text}\"}}"),
                    }),
                    response: Some(Reply {
                        status: 200,
                        headers: vec![pair()],
                        body: t(),
                    }),
                    note: t(),
                    decoded: vec![Decoded {
                        name: t(),
                        header_json: t(),
                        payload_json: format!("{{\"{text}\": \"eyJ{text}.{text}.{text}\"}}"),
                        explained: vec![(t(), t(), t())],
                    }],
                }],
            ),
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

fn playground(layout: Layout, text: &str, state: Option<String>, steps: Vec<Step>) -> String {
    html(&PlaygroundPage {
        layout,
        csrf: text.to_owned(),
        issuer: text.to_owned(),
        client_id: text.to_owned(),
        demo_username: text.to_owned(),
        demo_password: text.to_owned(),
        state,
        error: Some(text.to_owned()),
        steps,
    })
}
