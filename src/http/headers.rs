//! What every page and every JSON answer tells browsers and caches.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    PRAGMA, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_FRAME_OPTIONS,
};

/// What a page needs beyond the strictest policy.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The `form-action` sources, such as `'self'`; `None` leaves the directive out.
    ///
    /// Chromium applies `form-action` to every redirect that follows a submitted form, also to those
    /// that the application makes behind its `redirect_uri`, on origins that cannot be listed beforehand.
    /// A page whose form may lead back to an application (login, consent, logout, `form_post`)
    /// therefore must leave it out; CSRF tokens and escaped templates carry that load there.
    pub form_action: Option<&'a str>,
    /// One more source of images: the origin of a client's `logo_uri`.
    pub image_source: Option<&'a str>,
    /// Whether the window that opened this page may keep hold of it. Applications that sign in
    /// through a pop-up wait for it with `window.opener`, which a Cross-Origin-Opener-Policy on any
    /// page of the flow would cut for good.
    pub keep_opener: bool,
}

impl Page<'_> {
    /// A page of a flow that ends at an application: login, consent, logout, `form_post`, errors.
    pub const FLOW: Self = Self {
        form_action: None,
        image_source: None,
        keep_opener: true,
    };
    /// A page whose forms stay here: account, console, set-up, device.
    pub const OWN: Self = Self {
        form_action: Some("'self'"),
        image_source: None,
        keep_opener: false,
    };
}

/// Writes the headers of pages.
#[derive(Debug, Clone, Copy)]
pub struct PageHeaders {
    https: bool,
}

impl PageHeaders {
    /// `https` is whether the issuer is https: only then browsers are told to insist on it.
    pub fn new(https: bool) -> Self {
        Self { https }
    }

    /// Sets the security headers of `page`, replacing what was there.
    pub fn apply(self, headers: &mut HeaderMap, page: &Page<'_>) {
        headers.insert(CONTENT_SECURITY_POLICY, policy(page));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static(NO_DEVICES));
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        if !page.keep_opener {
            headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        }
        if self.https {
            headers.insert(
                STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static("max-age=31536000"),
            );
        }
    }
}

/// The headers of JSON that must not be stored: tokens, introspection, errors
/// ([RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).
pub fn json_no_store() -> [(HeaderName, HeaderValue); 3] {
    [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, NO_STORE),
        (PRAGMA, HeaderValue::from_static("no-cache")),
    ]
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Nothing but passkeys is needed.
const NO_DEVICES: &str = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), \
                          publickey-credentials-get=(self), publickey-credentials-create=(self)";

/// No inline script or style anywhere: both come from files of our own.
const STRICT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
                      connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

fn policy(page: &Page<'_>) -> HeaderValue {
    let mut text = format!("{STRICT}; img-src 'self' data:");
    if let Some(source) = page.image_source.filter(|source| is_source(source)) {
        text.push(' ');
        text.push_str(source);
    }
    if let Some(sources) = page.form_action.filter(|sources| is_source(sources)) {
        text.push_str("; form-action ");
        text.push_str(sources);
    }
    // What `is_source` lets through is visible ASCII, so this cannot fail; if it did, stay strict.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(STRICT))
}

/// A source must not end its directive or the policy.
fn is_source(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| (b' '..=b'~').contains(&byte) && byte != b';' && byte != b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(https: bool, page: &Page<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        PageHeaders::new(https).apply(&mut headers, page);
        headers
    }

    fn csp(page: &Page<'_>) -> String {
        headers(true, page)
            .get(CONTENT_SECURITY_POLICY)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn pages_are_strict() {
        let policy = csp(&Page::OWN);
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(directive), "{policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains("  "),
            "{policy}"
        );
    }

    #[test]
    fn a_flow_may_end_at_the_application_and_keeps_its_opener() {
        assert!(!csp(&Page::FLOW).contains("form-action"));
        assert!(!headers(true, &Page::FLOW).contains_key(OPENER_POLICY));
        assert_eq!(
            headers(true, &Page::OWN).get(OPENER_POLICY).unwrap(),
            "same-origin"
        );
    }

    #[test]
    fn a_source_cannot_end_its_directive() {
        let logo = Page {
            image_source: Some("https://cdn.example.com"),
            ..Page::FLOW
        };
        assert!(csp(&logo).contains("img-src 'self' data: https://cdn.example.com"));
        for bad in [
            "https://a; script-src *",
            "https://a, default-src *",
            "https://a\r\nx: y",
            "ü",
            "",
        ] {
            assert_eq!(
                csp(&Page {
                    image_source: Some(bad),
                    ..Page::FLOW
                }),
                csp(&Page::FLOW),
                "{bad}"
            );
        }
    }

    #[test]
    fn only_https_issuers_insist_on_https() {
        assert!(headers(true, &Page::OWN).contains_key(STRICT_TRANSPORT_SECURITY));
        assert!(!headers(false, &Page::OWN).contains_key(STRICT_TRANSPORT_SECURITY));
    }
}
