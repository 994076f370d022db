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

/// How much of the machine is busy, between 0 and 1, while this process waits for a second.
pub(crate) fn busy_elsewhere() -> f64 {
    let before = jiffies();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let after = jiffies();
    let all = after.0 - before.0;
    if all == 0.0 {
        return 0.0;
    }
    1.0 - (after.1 - before.1) / all
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

/// All time and idle time since the machine started.
fn jiffies() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        // user nice system idle iowait irq softirq steal; guests count as user.
        .take(8)
        .filter_map(|field| field.parse().ok())
        .collect();
    let idle = fields.iter().skip(3).take(2).sum();
    (fields.iter().sum(), idle)
}

/// Linux shows a hundred ticks a second to programs, whatever the kernel itself counts in.
const MICROS_PER_TICK: u64 = 10_000;
