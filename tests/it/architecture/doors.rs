//! What the library opens. Of a private room rustc finds what nothing uses; of what is open it finds nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::sources::{collect, is_word};

#[test]
fn the_library_opens_its_command_line_and_what_tests_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let open: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("pub"))
        .collect();
    assert_eq!(open, ["pub use cli::main;", "pub mod doors {"]);

    let mut files = Vec::new();
    collect(&root.join("tests"), &mut files);
    let tests: String = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let (_, doors) = text.split_once("pub mod doors {").unwrap();
    let offered = names(doors, "pub use crate::");
    let used = names(&tests, "use signet::doors::");
    let unused: Vec<_> = offered.difference(&used).collect();
    assert!(!offered.is_empty() && unused.is_empty(), "{unused:?}");
}

/// What the `use` statements that begin like this name.
fn names(code: &str, begins: &str) -> BTreeSet<String> {
    let statements = code.split(begins).skip(1);
    let statements = statements.map(|rest| rest.split(';').next().unwrap());
    statements
        .flat_map(|path| {
            let leaves = path.split_once('{').map_or_else(
                || path.rsplit("::").next().unwrap(),
                |(_, list)| list.trim_end_matches('}'),
            );
            leaves.split(',').map(|leaf| leaf.trim().to_owned())
        })
        .filter(|leaf| !leaf.is_empty() && leaf.chars().all(is_word))
        .collect()
}

#[test]
fn the_rule_above_can_fail() {
    let code = "pub use crate::a::{\n    B, c,\n};\nuse crate::x::Y;\npub use crate::d::E;";
    assert_eq!(
        names(code, "pub use crate::"),
        ["B", "c", "E"].map(str::to_owned).into()
    );
}
