//! Patterns for names: `*` stands for any text, every other character for itself.

/// Whether `pattern` describes the whole of `name`. At most `pattern × name` steps, whatever they are.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    // The earliest place of each piece leaves the most for those that follow.
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_is_special() {
        for (pattern, name) in [
            ("shop-*", "shop-admins"),
            ("shop-*", "shop-"),
            ("*", ""),
            ("*", "ü"),
            ("**", "x"),
            ("*-admins", "shop-admins"),
            ("a*b*c", "a-b-b-c"),
            ("a*ab", "aab"),
            ("shop", "shop"),
            ("a.c?", "a.c?"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("shop-*", "my-shop-admins"),
            ("shop-*", "Shop-admins"),
            ("shop", "shop-admins"),
            ("shop", "my-shop"),
            ("", "x"),
            ("ab*ab", "ab"),
            ("a*b*b", "ab"),
            ("a.c", "abc"),
            ("*-admins", "shop-admins2"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
