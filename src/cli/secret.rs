//! Secrets that come in: from standard input, from a file, or typed without being shown.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::answer::Failure;

/// Where a password comes from. Without either it is asked for on the terminal, or read from standard input when
/// that is none.
#[derive(Debug, Default, Args)]
pub struct PasswordArgs {
    /// Read the password from standard input.
    #[arg(long, conflicts_with = "password_file")]
    pub password_stdin: bool,
    /// Read the password from a file.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// The password.
    pub fn read(&self) -> Result<String, Failure> {
        match (&self.password_file, self.password_stdin) {
            (Some(path), _) => read_file(path),
            (None, true) => Ok(read(io::stdin().lock())?),
            (None, false) if io::stdin().is_terminal() => ask_twice(),
            (None, false) => match read(io::stdin().lock())? {
                password if password.is_empty() => {
                    Err(Failure::new("there is no terminal to ask for the password")
                        .hint("use --password-stdin or --password-file FILE"))
                }
                password => Ok(password),
            },
        }
    }
}

/// A secret out of a file.
pub fn read_file(path: &Path) -> Result<String, Failure> {
    File::open(path)
        .and_then(read)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}

/// A secret out of a stream, without the line break that editors and `echo` put at its end.
pub fn read(stream: impl Read) -> io::Result<String> {
    let mut text = Zeroizing::new(String::new());
    stream.take(MOST).read_to_string(&mut text)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn ask_twice() -> Result<String, Failure> {
    let stdin = io::stdin();
    let _hidden = Hidden::new(stdin.as_fd())?;
    let password = ask("Password: ")?;
    if password == ask("Again: ")? {
        Ok(password)
    } else {
        Err(Failure::new("the two passwords are not the same"))
    }
}

fn ask(prompt: &str) -> io::Result<String> {
    let mut err = io::stderr().lock();
    write!(err, "{prompt}")?;
    err.flush()?;
    let mut line = Zeroizing::new(String::new());
    let read = io::stdin().read_line(&mut line);
    // The line break that ended the input was not shown either.
    writeln!(err)?;
    if read? == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the terminal was closed",
        ));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn new(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Drain, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// No secret is longer, in bytes.
const MOST: u64 = 64 * 1024;
