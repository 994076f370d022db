//! What a process has used, as Linux tells it, and what machine this is.

use std::fs;

/// Processor time of all threads of a process, user and system, in microseconds.
///
/// Linux counts it in hundredths of a second, so it is read around seconds of work.
pub(crate) fn cpu_micros(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process has ended");
    // The name before it may hold spaces and parentheses; utime and stime are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').expect("stat without a name");
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("stat without times"))
        .sum();
    (ticks * MICROS_PER_TICK) as f64
}

/// Resident memory in MiB.
pub(crate) fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process has ended");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("status without VmRSS");
    let kib: f64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("VmRSS is no number");
    kib / 1024.0
}

/// The machine in words.
pub(crate) fn machine() -> String {
    let cores = cores();
    format!(
        "{cores} core{} of {}",
        if cores == 1 { "" } else { "s" },
        cpu_model()
    )
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn cpu_model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(
            || "an unknown processor".to_owned(),
            |(_, name)| name.trim().to_owned(),
        )
}

/// Linux shows a hundred ticks a second to programs, whatever the kernel itself counts in.
const MICROS_PER_TICK: u64 = 10_000;
