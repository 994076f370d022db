//! Runs what the pages show, in order: each page against a new site on SQLite.
//!
//! - `sh` is run by bash, in one shell for the whole page. `no-test="reason"` behind the fence leaves a block out,
//!   `exit="1"` expects that code.
//! - `text` after it is a part of what was printed: each line, in order; `…` stands for anything.
//! - `toml` is written to the file that its first line names. `signet.toml` must pass `signet config check`; another
//!   file must be used by a command after it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::{Block, blocks, name, pages};
use crate::support::engines::Engine;
use crate::support::server::Server;

/// The addresses in the pages.
const ISSUER: &str = "http://localhost:8080";
const MANAGEMENT: &str = "http://127.0.0.1:9090";

/// How many blocks of all pages cannot be run, at most.
const MOST_LEFT_OUT: usize = 7;

#[tokio::test]
async fn every_command_of_the_manual_works() {
    let mut left_out = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let blocks = blocks(&text);
        for block in &blocks {
            // What else a guide shows is run by its own test: see `guides.rs`.
            let known = ["sh", "text", "toml", "json", "mermaid"].contains(&block.language());
            assert!(
                known || page.parent().unwrap().ends_with("applications"),
                "{}: a block of {:?}",
                name(&page),
                block.info
            );
            if let Some(reason) = block.attribute("no-test") {
                assert!(block.language() == "sh" && reason.len() > 10, "{block:?}");
                left_out.push(format!("{}: {reason}", name(&page)));
            }
        }
        run(&name(&page), &blocks).unwrap_or_else(|error| panic!("{}: {error}", name(&page)));
    }
    assert!(left_out.len() <= MOST_LEFT_OUT, "{left_out:#?}");
}

/// Runs the blocks of one page.
fn run(page: &str, blocks: &[Block]) -> Result<(), String> {
    let server = Server::not_started(Engine::Sqlite, &[]);
    let runs = |block: &&Block| block.language() == "sh" && block.attribute("no-test").is_none();
    if blocks.iter().any(|block| runs(&block)) {
        server.serve_with(&["serve"]);
    }
    for (at, block) in blocks.iter().enumerate() {
        if block.language() == "toml" {
            write(&server, block, &blocks[at + 1..])?;
        }
    }
    let directory = server.directory();
    let mut script = "set -uo pipefail\n".to_owned();
    for (at, _) in blocks.iter().enumerate().filter(|(_, block)| runs(block)) {
        let commands = blocks[at].text.replace(ISSUER, server.issuer());
        let commands = commands.replace(MANAGEMENT, &server.management_url(""));
        let expected = blocks[at].attribute("exit").unwrap_or("0");
        // Not in a subshell: a variable that is set in one block is used in another.
        script +=
            format!("echo {at} > at\nset -e\ntrap 'echo \"exit $?\" > ended' EXIT\n").as_str();
        if expected != "0" {
            script.push_str("set +e\n");
        }
        script += format!("{{\n{commands}\nstatus=$?\n}} > out.{at}\n").as_str();
        script += format!("[ \"$status\" = {expected} ]\n").as_str();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_signet"));
    let path = std::env::var("PATH").unwrap();
    let ran = server
        .program("bash")
        .args(["-c", &script])
        .env(
            "PATH",
            format!("{}:{path}", program.parent().unwrap().display()),
        )
        .output()
        .unwrap();
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap_or_default();
    if !ran.status.success() {
        let at: usize = read("at").trim().parse().unwrap();
        return Err(format!(
            "this fails ({}):\n{}\nit printed:\n{}\n{}",
            ran.status,
            blocks[at].text,
            read(&format!("out.{at}")),
            String::from_utf8_lossy(&ran.stderr)
        ));
    }
    for pair in 1..blocks.len() {
        if blocks[pair].language() != "text" {
            continue;
        }
        if !runs(&&blocks[pair - 1]) {
            return Err(format!("nothing is run before {:?}", blocks[pair].text));
        }
        let printed = read(&format!("out.{}", pair - 1));
        let expected = blocks[pair].text.replace(ISSUER, server.issuer());
        if !shows(&printed, &expected) {
            return Err(format!(
                "expected of {page}:\n{expected}\nprinted:\n{printed}"
            ));
        }
    }
    Ok(())
}

/// Writes a document or a configuration to its file, and checks that it is used.
fn write(server: &Server, block: &Block, after: &[Block]) -> Result<(), String> {
    let first = block.text.lines().next().unwrap_or_default();
    let file = first
        .strip_prefix("# ")
        .filter(|file| file.strip_suffix(".toml").is_some() && !file.contains('/'))
        .ok_or(format!("the first line names no file: {first:?}"))?;
    let path = server.directory().join(if file == "signet.toml" {
        "checked.toml"
    } else {
        file
    });
    fs::write(&path, &block.text).unwrap();
    if file != "signet.toml" {
        let uses = |block: &Block| block.language() == "sh" && block.text.contains(file);
        let is_read = after.iter().any(uses);
        return is_read
            .then_some(())
            .ok_or(format!("no command uses {file}"));
    }
    // Without the settings of the server, which would go before the file.
    let checked: Output = Command::new(env!("CARGO_BIN_EXE_signet"))
        .args(["config", "check", "--config", path.to_str().unwrap()])
        .current_dir(server.directory())
        .env_clear()
        .output()
        .unwrap();
    let problems = String::from_utf8_lossy(&checked.stderr).into_owned();
    checked.status.success().then_some(()).ok_or(problems)
}

/// Whether each line of `expected` is in `printed`, in order; `…` stands for anything.
fn shows(printed: &str, expected: &str) -> bool {
    let mut rest = printed;
    let pieces = expected.lines().flat_map(|line| line.trim_end().split('…'));
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[tokio::test]
async fn a_command_that_does_not_work_is_found() {
    let found = |text: &str| run("a page", &blocks(text)).expect_err(text);
    let document = "```toml\n# a.toml\n[[clients]]\nclient_id = \"a\"\nredirect_uri = 1\n```\n\n";
    for (page, says) in [
        ("```sh\nsignet no-such-command\n```\n", "no-such-command"),
        ("```sh\nfalse\ntrue\n```\n", "false"),
        ("```sh\nfalse | cat\n```\n", "false | cat"),
        ("```sh exit=\"1\"\ntrue\n```\n", "true"),
        ("```sh\necho a b\n```\n\n```text\na …c\n```\n", "expected"),
        (
            "```sh\necho a\necho b\n```\n\n```text\nb\na\n```\n",
            "expected",
        ),
        ("```text\na\n```\n\n```text\na\n```\n", "nothing is run"),
        (document, "no command uses a.toml"),
        (
            &format!("{document}```sh\nsignet apply -f a.toml\n```\n"),
            "redirect_uri",
        ),
        ("```toml\n[[users]]\n```\n", "names no file"),
        (
            "```toml\n# signet.toml\nisuer = \"https://a.test\"\n```\n",
            "issuer",
        ),
    ] {
        let error = found(page);
        assert!(error.contains(says), "{page} says {error}");
    }
    run(
        "a page",
        &blocks("```sh\na=1\n```\n\n```sh exit=\"3\"\n(exit $((a + 2)))\n```\n"),
    )
    .unwrap();
}
