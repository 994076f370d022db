//! Every page with one text in every field.

use super::*;

/// Every page and state filled with one text in every field.
pub(super) fn pages_of(text: &str) -> Vec<(&'static str, String)> {
    let t = || text.to_owned();
    let some = || Some(text.to_owned());
    let layout = || Layout {
        brand: t(),
        title: t(),
        request_id: some(),
        lang: "en".to_owned(),
    };
    let pair = || (t(), t());
    vec![
        (
            "login",
            html(&LoginPage {
                layout: layout(),
                flow: some(),
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
                layout: layout(),
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
                layout: layout(),
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
                layout: layout(),
                csrf: t(),
                client_name: some(),
                account: t(),
                hidden: vec![pair()],
            }),
        ),
        (
            "signed-out",
            html(&SignedOutPage {
                layout: layout(),
                return_to: Some(pair()),
            }),
        ),
        (
            "error",
            html(&ErrorPage {
                layout: layout(),
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
                layout: layout(),
                action: t(),
                fields: vec![pair()],
                client_name: some(),
            }),
        ),
        ("setup", setup(layout(), text, false)),
        ("setup-done", setup(layout(), text, true)),
        (
            "account",
            html(&AccountPage {
                layout: layout(),
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
        (
            "playground-intro",
            playground(layout(), text, None, Vec::new()),
        ),
        (
            "playground",
            playground(
                layout(),
                text,
                some(),
                vec![Step {
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
