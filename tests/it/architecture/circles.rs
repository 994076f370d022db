//! Circles of imports: modules that cannot be read one after the other.
//!
//! A file is a module, and every path of a `use` that begins with `crate`, `super` or `self` is an arrow to the module
//! that holds what is named: a re-export leads on to where it comes from. Arrows between a module and the modules
//! inside it are not counted: a parent and its parts are one thing. Neither are those of tests.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Source, is_test, is_word, sources};

type Module = Vec<String>;
type Arrows = BTreeMap<Module, BTreeSet<Module>>;

/// One page's example and reader are written in terms of each other.
const ALLOWED: [&[&str]; 1] = [&["web/reference/example", "web/reference/read"]];

#[test]
fn modules_import_each_other_in_no_circle() {
    let found = circles(&arrows(&files()));
    let found: Vec<Vec<String>> = found
        .iter()
        .map(|circle| circle.iter().map(|module| module.join("/")).collect())
        .collect();
    assert_eq!(found, ALLOWED, "imports go in circles: {found:#?}");
}

/// The code of every file that is no test, without its own tests.
fn files() -> BTreeMap<Module, String> {
    let production = sources().into_iter().filter(|source| !is_of_tests(source));
    production
        .map(|source| (module_of(&source.path), without_tests(&source.code)))
        .collect()
}

fn is_of_tests(source: &Source) -> bool {
    is_test(&source.path) || matches!(source.path.as_str(), "lib.rs" | "main.rs")
}

fn module_of(path: &str) -> Module {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// Code up to its tests, and without what else is there for tests alone.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    for (at, part) in code.split("#[cfg(test)]").enumerate() {
        let item = part.trim_start();
        let (first, others) = item.split_once(';').unwrap_or((item, ""));
        if at > 0 && item.starts_with("mod tests {") {
            break;
        }
        let is_import =
            first.starts_with("use ") || first.starts_with("pub") && first.contains(" use ");
        kept.push_str(if at > 0 && is_import { others } else { part });
    }
    kept
}

fn arrows(files: &BTreeMap<Module, String>) -> Arrows {
    let mut from_here = BTreeMap::new();
    for (module, code) in files {
        for path in paths(code) {
            if let Some((leads, rest)) = resolve(files, module, &path)
                && let ([], Some(name)) = (rest.get(1..).unwrap_or_default(), path.last())
            {
                from_here.insert((module.clone(), name.clone()), leads);
            }
        }
    }
    let mut arrows = Arrows::new();
    for (module, code) in files {
        let to = arrows.entry(module.clone()).or_default();
        for path in paths(code) {
            let Some((mut leads, rest)) = resolve(files, module, &path) else {
                continue;
            };
            if let [name] = &rest[..] {
                while let Some(on) = from_here.get(&(leads.clone(), name.clone())) {
                    if *on == leads {
                        break;
                    }
                    leads.clone_from(on);
                }
            }
            if !leads.starts_with(module) && !module.starts_with(&leads) {
                to.insert(leads);
            }
        }
    }
    arrows
}

/// The module in which a path of `module` ends, and what of the path is left behind it.
fn resolve(
    files: &BTreeMap<Module, String>,
    module: &Module,
    path: &[String],
) -> Option<(Module, Vec<String>)> {
    let (mut whole, mut path) = (module.clone(), path);
    // A path that begins otherwise leads to a module inside this one, or out of the crate.
    let mut least = module.len() + 1;
    while let [first @ ("crate" | "self" | "super"), rest @ ..] = &words(path)[..] {
        match *first {
            "crate" => whole.clear(),
            "super" => drop(whole.pop()),
            _ => {}
        }
        (path, least) = (&path[path.len() - rest.len()..], 1);
    }
    whole.extend_from_slice(path);
    let ends = (least..=whole.len())
        .rev()
        .find(|ends| files.contains_key(&whole[..*ends]))?;
    Some((whole[..ends].to_vec(), whole[ends..].to_vec()))
}

fn words(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

/// The paths of all `use` statements.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, word) in code.match_indices("use ") {
        let begins = code[..at].chars().next_back();
        if begins.is_none_or(|before| !is_word(before)) {
            let tree = code[at + word.len()..].split(';').next().unwrap();
            expand(&[], tree.trim(), &mut paths);
        }
    }
    paths
}

/// `a::{b, c::D as E}` is `a::b` and `a::c::D`.
fn expand(before: &[String], tree: &str, paths: &mut Vec<Vec<String>>) {
    let (head, list) = match tree.split_once('{') {
        Some((head, list)) => (head, Some(list.trim_end().trim_end_matches('}'))),
        None => (tree.split(" as ").next().unwrap(), None),
    };
    let mut path = before.to_vec();
    let segments = head.split("::").map(str::trim);
    path.extend(segments.filter(|it| !it.is_empty()).map(str::to_owned));
    let Some(list) = list else {
        if path.len() > before.len() {
            paths.push(path);
        }
        return;
    };
    let (mut depth, mut begins) = (0, 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&path, list[begins..at].trim(), paths);
                begins = at + 1;
            }
            _ => {}
        }
    }
    expand(&path, list[begins..].trim(), paths);
}

/// Groups of modules that reach each other.
fn circles(arrows: &Arrows) -> Vec<Vec<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = arrows
        .keys()
        .map(|module| (module, reached_from(arrows, module)))
        .collect();
    let mut circles = BTreeSet::new();
    for (module, reaches) in &reached {
        if reaches.contains(module) {
            let back = reaches
                .iter()
                .filter(|other| reached[*other].contains(module));
            circles.insert(back.map(|other| (*other).clone()).collect::<Vec<_>>());
        }
    }
    circles.into_iter().collect()
}

fn reached_from<'a>(arrows: &'a Arrows, module: &Module) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = arrows[module].iter().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(&arrows[module]);
        }
    }
    reached
}

#[test]
fn a_circle_is_found_through_a_re_export_and_not_in_tests() {
    let circles_of = |of_c: &str| {
        let files = [
            ("room", "pub use a::A;\nmod a; mod b; mod c;"),
            ("room/a", "use super::b::{B, other as x};"),
            ("room/b", "use crate::room::c::{C, d::{E}};"),
            ("room/c", of_c),
        ];
        let files = files.map(|(path, code)| (module_of(path), without_tests(code)));
        circles(&arrows(&files.into())).len()
    };
    assert_eq!(circles_of("use super::A;"), 1);
    assert_eq!(circles_of("use crate::{room::A, x};"), 1);
    assert_eq!(circles_of("use super::R; fn because() {}"), 0);
    assert_eq!(circles_of("#[cfg(test)]\npub use super::A;"), 0);
    assert_eq!(
        circles_of("#[cfg(test)]\nmod tests { use super::super::A; }"),
        0
    );
}
