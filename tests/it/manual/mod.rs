//! The manual and README: every command is run, every link leads somewhere, every page is served.

mod commands;
mod guides;
mod links;
mod served;

use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// README and the pages of the manual.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = pages_of(&root.join("templates/manual"));
    pages.extend(guides());
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

/// The pages about single applications.
fn guides() -> Vec<PathBuf> {
    pages_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/manual/applications"))
}

fn pages_of(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

fn name(page: &Path) -> String {
    let name = page.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
    name.to_str().unwrap().to_owned()
}

fn events(text: &str) -> Vec<Event<'_>> {
    Parser::new_ext(text, Options::ENABLE_TABLES).collect()
}

/// A fenced block.
#[derive(Debug, PartialEq)]
struct Block {
    /// What stands behind the fence: a language, then what tests need to know.
    info: String,
    text: String,
}

impl Block {
    fn language(&self) -> &str {
        self.info.split(' ').next().unwrap()
    }

    /// The value of `NAME="VALUE"` behind the fence.
    fn attribute(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.info.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"').expect("a closing quote").0)
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for event in events(text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                inside = true;
                blocks.push(Block {
                    info: info.to_string(),
                    text: String::new(),
                });
            }
            Event::End(TagEnd::CodeBlock) => inside = false,
            Event::Text(text) if inside => blocks.last_mut().unwrap().text.push_str(&text),
            _ => {}
        }
    }
    blocks
}
