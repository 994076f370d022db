//! Colour for the wire text of the playground: cuts text into marked pieces and leaves escaping to the template.
//! Nothing is decoded; line breaks between parameters are all that is added.

/// A piece of text and its CSS class; an empty class is plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark<'a> {
    pub(crate) kind: &'static str,
    pub(crate) text: &'a str,
}

/// A body: JSON, a form, or anything else.
pub(crate) fn body(text: &str) -> Vec<Mark<'_>> {
    if text.starts_with(['{', '[']) {
        json(text)
    } else if text.contains('=') && !text.contains(['\n', '<', ' ']) {
        form(text)
    } else {
        value(text)
    }
}

/// Indented JSON.
pub(crate) fn json(text: &str) -> Vec<Mark<'_>> {
    let mut marks = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (piece, tail) = cut(rest, json_piece(first, rest));
        match first {
            '"' if tail.trim_start().starts_with(':') => marks.push(Mark {
                kind: "key",
                text: piece,
            }),
            '"' => marks.extend(string(piece)),
            '-' | '0'..='9' | 't' | 'f' | 'n' => marks.push(Mark {
                kind: "lit",
                text: piece,
            }),
            _ => marks.push(plain(piece)),
        }
        rest = tail;
    }
    marks
}

/// An address, one query parameter a line.
pub(crate) fn url(text: &str) -> Vec<Mark<'_>> {
    match text.split_once('?') {
        None => vec![plain(text)],
        Some((path, query)) => {
            let mut marks = vec![plain(path), plain("\n  ?")];
            marks.extend(parameters(query, "\n  &"));
            marks
        }
    }
}

/// The address without its query, for a line that must be short.
pub(crate) fn without_query(text: &str) -> &str {
    text.split_once('?').map_or(text, |(path, _)| path)
}

/// A header's or parameter's value; a signed token in it shows its three parts.
pub(crate) fn value(text: &str) -> Vec<Mark<'_>> {
    // Every JOSE header begins with `{"`, which is `eyJ` in base64url.
    let (before, token) = match text.find("eyJ") {
        Some(at) => cut(text, at),
        None => return vec![plain(text)],
    };
    let (token, after) = cut(token, token.find(['"', ' ', ',']).unwrap_or(token.len()));
    match token.split('.').collect::<Vec<_>>().as_slice() {
        [header, payload, signature] => vec![
            plain(before),
            Mark {
                kind: "jose-header",
                text: header,
            },
            plain("."),
            Mark {
                kind: "jose-payload",
                text: payload,
            },
            plain("."),
            Mark {
                kind: "jose-signature",
                text: signature,
            },
            plain(after),
        ],
        _ => vec![plain(text)],
    }
}

fn form(text: &str) -> Vec<Mark<'_>> {
    parameters(text, "\n&")
}

fn parameters<'a>(text: &'a str, between: &'static str) -> Vec<Mark<'a>> {
    let mut marks = Vec::new();
    for (index, parameter) in text.split('&').enumerate() {
        if index > 0 {
            marks.push(plain(between));
        }
        match parameter.split_once('=') {
            None => marks.push(Mark {
                kind: "key",
                text: parameter,
            }),
            Some((name, content)) => {
                marks.push(Mark {
                    kind: "key",
                    text: name,
                });
                marks.push(plain("="));
                marks.extend(value(content));
            }
        }
    }
    marks
}

fn string(text: &str) -> Vec<Mark<'_>> {
    let mut marks = value(text);
    for mark in &mut marks {
        if mark.kind.is_empty() && mark.text != "." {
            mark.kind = "str";
        }
    }
    marks
}

/// The length of the JSON token that `rest` begins with.
fn json_piece(first: char, rest: &str) -> usize {
    match first {
        '"' => {
            let mut escaped = false;
            rest.char_indices()
                .skip(1)
                .find(|&(_, letter)| {
                    let closes = letter == '"' && !escaped;
                    escaped = letter == '\\' && !escaped;
                    closes
                })
                .map_or(rest.len(), |(at, _)| at + 1)
        }
        '-' | '0'..='9' | 't' | 'f' | 'n' => rest
            .find(|letter: char| {
                !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '+' | '.')
            })
            .unwrap_or(rest.len()),
        _ => rest
            .char_indices()
            .skip(1)
            .find(|&(_, letter)| matches!(letter, '"' | '-' | '0'..='9' | 't' | 'f' | 'n'))
            .map_or(rest.len(), |(at, _)| at),
    }
}

fn plain(text: &str) -> Mark<'_> {
    Mark { kind: "", text }
}

fn cut(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(marks: &[Mark<'_>]) -> String {
        marks.iter().map(|mark| mark.text).collect()
    }

    #[test]
    fn json_is_coloured_and_nothing_of_it_is_lost() {
        for text in [
            r#"{ "a": "b \" c", "n": -1.5e+3, "t": true, "list": [null, "ü"] }"#,
            r#"{"unclosed": "abc"#,
            r#"{"escape at the end": "\"#,
            "{",
            "",
            "\u{202e}{\"x\":1}",
        ] {
            assert_eq!(text_of(&json(text)), text);
        }
        let marks = json(r#"{"a": "b", "n": 1}"#);
        assert!(marks.contains(&Mark {
            kind: "key",
            text: "\"a\""
        }));
        assert!(marks.contains(&Mark {
            kind: "str",
            text: "\"b\""
        }));
        assert!(marks.contains(&Mark {
            kind: "lit",
            text: "1"
        }));
    }

    #[test]
    fn parameters_stand_on_lines_of_their_own() {
        let marks = url("http://localhost:8080/authorize?client_id=web&flag&state=a%26b");
        assert_eq!(
            text_of(&marks),
            "http://localhost:8080/authorize\n  ?client_id=web\n  &flag\n  &state=a%26b"
        );
        assert_eq!(
            text_of(&body("grant_type=refresh_token&x=1")),
            "grant_type=refresh_token\n&x=1"
        );
        assert_eq!(text_of(&body("<p>a=b</p>")), "<p>a=b</p>");
        assert_eq!(without_query("/a?b=c"), "/a");
    }

    #[test]
    fn a_token_shows_its_three_parts() {
        let kinds: Vec<_> = value("Bearer eyJh.eyJi.c2ln")
            .iter()
            .map(|mark| mark.kind)
            .collect();
        assert_eq!(
            kinds,
            [
                "",
                "jose-header",
                "",
                "jose-payload",
                "",
                "jose-signature",
                ""
            ]
        );
        assert_eq!(text_of(&value("Bearer eyJh.eyJi")), "Bearer eyJh.eyJi");
        assert_eq!(
            text_of(&json(r#"{"t":"eyJh.eyJi.c2ln"}"#)),
            r#"{"t":"eyJh.eyJi.c2ln"}"#
        );
    }
}
