//! URI schemes to which no response is ever sent, and those that only an operator may choose.

use url::Url;

/// Schemes by which a browser or a system acts itself, or which another program than the client may serve: a response
/// sent there would run, be stored, be dialled or be read by another.
const ACTED_ON: [(&str, &[&str]); 7] = [
    (
        "runs as code, or is a document itself",
        &[
            "blob",
            "cid",
            "data",
            "jar",
            "javascript",
            "livescript",
            "mhtml",
            "mid",
            "vbscript",
        ],
    ),
    (
        "opens a page of the browser itself",
        &[
            "about",
            "brave",
            "chrome",
            "chrome-extension",
            "chrome-search",
            "chrome-untrusted",
            "devtools",
            "edge",
            "moz-extension",
            "opera",
            "res",
            "resource",
            "safari-extension",
            "safari-web-extension",
            "view-source",
            "vivaldi",
            "webkit-extension",
            "wyciwyg",
        ],
    ),
    (
        "opens files",
        &[
            "afp",
            "cifs",
            "content",
            "dav",
            "davs",
            "file",
            "filesystem",
            "nfs",
            "search",
            "shell",
            "smb",
        ],
    ),
    (
        "opens a connection of its own",
        &[
            "dict", "dns", "ftp", "ftps", "git", "gopher", "imap", "imaps", "ldap", "ldaps", "pop",
            "rdp", "rlogin", "rtmp", "rtsp", "scp", "sftp", "smtp", "ssh", "svn", "telnet", "tftp",
            "tn3270", "vnc", "ws", "wss",
        ],
    ),
    (
        "writes to a person or calls one",
        &[
            "callto",
            "facetime",
            "facetime-audio",
            "fax",
            "im",
            "imessage",
            "irc",
            "irc6",
            "ircs",
            "mailto",
            "matrix",
            "mms",
            "mmsto",
            "modem",
            "sip",
            "sips",
            "skype",
            "sms",
            "smsto",
            "tel",
            "telprompt",
            "wtai",
            "xmpp",
        ],
    ),
    (
        "lets the system choose, start or install a program",
        &[
            "android-app",
            "app-prefs",
            "app-settings",
            "appinstaller",
            "applescript",
            "apt",
            "hcp",
            "help",
            "intent",
            "itms",
            "itms-apps",
            "itms-appss",
            "itms-books",
            "itms-services",
            "itmss",
            "market",
            "microsoft-edge",
            "mk",
            "package",
            "prefs",
            "search-ms",
            "shortcuts",
            "steam",
            "windowsdefender",
            "workflow",
        ],
    ),
    (
        "may be served by any website that a person once let (registerProtocolHandler, HTML)",
        &[
            "bitcoin",
            "cabal",
            "dat",
            "did",
            "dweb",
            "ethereum",
            "feed",
            "geo",
            "hyper",
            "ipfs",
            "ipns",
            "magnet",
            "news",
            "nntp",
            "openpgp4fpr",
            "payto",
            "snews",
            "ssb",
            "urn",
            "webcal",
            "webcals",
        ],
    ),
];

/// How further ones begin.
const BEGINNINGS: [(&str, &str); 6] = [
    ("com.apple.", "lets an Apple system act"),
    ("ext+", "is served by an extension of the browser"),
    ("microsoft.", "lets Windows act"),
    ("ms-", "lets Windows or an Office program act"),
    (
        "web+",
        "may be served by any website that a person once let (registerProtocolHandler, HTML)",
    ),
    ("x-apple", "lets an Apple system act"),
];

/// What a browser or a system does with URIs of a scheme, in lower case; `None` when that is left to one program.
#[must_use]
pub fn acted_on(scheme: &str) -> Option<&'static str> {
    let begins = BEGINNINGS
        .iter()
        .find(|(beginning, _)| scheme.starts_with(beginning));
    let named = ACTED_ON
        .iter()
        .find(|(_, schemes)| schemes.contains(&scheme));
    let named = named.map(|(why, _)| *why);
    named.or_else(|| begins.map(|(_, why)| *why))
}

/// Whether only an operator may choose a redirect URI: its private-use scheme does not begin with a domain name, so
/// nothing says whose it is ([RFC 8252 §7.1](https://www.rfc-editor.org/rfc/rfc8252#section-7.1)).
#[must_use]
pub fn needs_operator(uri: &str) -> bool {
    Url::parse(uri)
        .is_ok_and(|url| !matches!(url.scheme(), "https" | "http") && !url.scheme().contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_that_a_system_acts_on_is_known_and_others_are_free() {
        for scheme in [
            "javascript",
            "data",
            "file",
            "mailto",
            "tel",
            "intent",
            "ms-settings",
            "ms-word",
            "microsoft.windows.camera",
            "x-apple.systempreferences",
            "web+anything",
            "sms",
            "view-source",
            "urn",
        ] {
            assert!(acted_on(scheme).is_some(), "{scheme}");
        }
        for scheme in [
            "com.example.app",
            "myapp",
            "vscode",
            "cursor",
            "msauth.com.example",
            "ms",
            "web",
            "com.applepie",
        ] {
            assert_eq!(acted_on(scheme), None, "{scheme}");
        }
        let all: Vec<_> = ACTED_ON.iter().flat_map(|(_, schemes)| *schemes).collect();
        for (place, scheme) in all.iter().enumerate() {
            assert_eq!(scheme.to_ascii_lowercase(), **scheme);
            assert!(!all[..place].contains(scheme), "{scheme} twice");
        }
    }

    #[test]
    fn a_scheme_without_a_domain_name_is_an_operator_s_choice_rfc8252_7_1() {
        for uri in ["myapp:/cb", "MyApp://cb", "myapp:cb.example"] {
            assert!(needs_operator(uri), "{uri}");
        }
        for uri in [
            "com.example.app:/cb",
            "https://a/cb",
            "http://localhost/cb",
            "HTTPS://a/",
            "/cb",
            "",
        ] {
            assert!(!needs_operator(uri), "{uri}");
        }
    }
}
