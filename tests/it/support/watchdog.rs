//! Ends what the tests started, however the test process itself ends.
//!
//! A small shell reads one line per process or directory from a pipe. When the test process is gone the
//! pipe closes, the shell reads the end of file and cleans up; nothing can be left over, not even after
//! a `kill -9` of the test run.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};

/// Kills this process when the run ends, unless [`forget`] is told that it has ended before.
pub(crate) fn watch(pid: u32) {
    tell(&format!("watch {pid}"));
}

/// The process has been waited for; its number may belong to someone else from now on.
pub(crate) fn forget(pid: u32) {
    tell(&format!("forget {pid}"));
}

/// Stops the PostgreSQL cluster whose postmaster writes its number to this file, when the run ends.
pub(crate) fn stop_cluster(postmaster_pid_file: &str) {
    tell(&format!("cluster {postmaster_pid_file}"));
}

/// Deletes the directory when the run ends, after every process has been ended.
pub(crate) fn remove(directory: &str) {
    tell(&format!("remove {directory}"));
}

fn tell(line: &str) {
    let mut shell = SHELL.lock().unwrap();
    let pipe = shell.stdin.as_mut().unwrap();
    writeln!(pipe, "{line}").expect("the watchdog has died");
}

static SHELL: LazyLock<Mutex<Child>> = LazyLock::new(|| {
    let shell = Command::new("/bin/sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("/bin/sh does not start");
    Mutex::new(shell)
});

/// `SIGQUIT` to a postmaster is `pg_ctl stop -m immediate`.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
pids=' ' clusters='' directories=''
while read -r verb what; do
    case $verb in
        watch) pids="$pids$what " ;;
        forget) case $pids in *" $what "*) pids="${pids%%" $what "*} ${pids#*" $what "}" ;; esac ;;
        cluster) clusters="$clusters $what" ;;
        remove) directories="$directories $what" ;;
    esac
done
for pid in $pids; do kill -KILL "$pid"; done
for file in $clusters; do
    pid=$(head -n 1 "$file") && kill -QUIT "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" || break; sleep 0.1; done
done
for directory in $directories; do rm -rf "$directory"; done
"#;
