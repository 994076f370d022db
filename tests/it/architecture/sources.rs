//! The sources, as the rules read them.

use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Source {
    pub(super) path: String,
    /// The first directory or file below `src/`; empty for `lib.rs` and `main.rs`.
    pub(super) room: String,
    /// The text without comments.
    pub(super) code: String,
    pub(super) lines: usize,
}

pub(super) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    files.into_iter().map(|file| read(&root, &file)).collect()
}

pub(super) fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(root: &Path, file: &Path) -> Source {
    let text = fs::read_to_string(file).unwrap();
    let path = file
        .strip_prefix(root)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let first = path.split('/').next().unwrap().trim_end_matches(".rs");
    let below = if matches!(first, "lib" | "main") {
        ""
    } else {
        first
    };
    let code: Vec<_> = text
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect();
    Source {
        room: below.to_owned(),
        code: code.join("\n"),
        lines: text.lines().count(),
        path,
    }
}

pub(super) fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("tests.rs")
}

pub(super) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
