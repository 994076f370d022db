//! The table.

use std::fmt::Write as _;

use serde::Serialize;

use super::limits::SIGNATURES;
use super::load::Sample;
use super::scenarios::Measured;

/// Everything that was measured, in the order in which it came first.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

struct Row {
    subject: &'static str,
    what: String,
    rounds: Vec<Sample>,
    failed: Option<String>,
}

/// One line: medians of the rounds; memory as it was after the last.
#[derive(Serialize)]
pub(crate) struct Line {
    subject: &'static str,
    what: String,
    cpu_micros_per_request: Option<f64>,
    per_second: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    resident_mib: Option<f64>,
    errors: u64,
    error: Option<String>,
}

impl Report {
    pub(crate) fn add(&mut self, subject: &'static str, (what, sample): Measured) {
        self.row(subject, what).rounds.push(sample);
    }

    /// A scenario that could not even be prepared.
    pub(crate) fn fail(&mut self, subject: &'static str, what: &str, why: String) {
        self.row(subject, what).failed.get_or_insert(why);
    }

    fn row(&mut self, subject: &'static str, what: &str) -> &mut Row {
        let known = self
            .rows
            .iter()
            .position(|row| row.subject == subject && row.what == what);
        let place = known.unwrap_or_else(|| {
            self.rows.push(Row {
                subject,
                what: what.to_owned(),
                rounds: Vec::new(),
                failed: None,
            });
            self.rows.len() - 1
        });
        &mut self.rows[place]
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.rows
            .iter()
            .any(|row| row.failed.is_some() || row.rounds.iter().any(|round| round.errors > 0))
    }

    /// Which part of the processors was to be had while every core signed.
    pub(crate) fn share(&self) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.what == SIGNATURES)?;
        let share = |round: &Sample| {
            round.cpu_micros / (round.seconds * 1e6 * super::process::cores() as f64)
        };
        Some(median(row.rounds.iter().map(share)))
    }

    /// The lines, those of one subject together.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut subjects: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !subjects.contains(&row.subject) {
                subjects.push(row.subject);
            }
        }
        subjects
            .into_iter()
            .flat_map(|subject| self.rows.iter().filter(move |row| row.subject == subject))
            .map(Row::line)
            .collect()
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = "| engine | scenario | **CPU µs per request** | requests/s | p50 ms | p99 ms | resident MiB |\n\
                        |---|---|--:|--:|--:|--:|--:|\n"
            .to_owned();
        for line in self.lines() {
            let Line { subject, what, .. } = &line;
            if let Some(error) = &line.error {
                let error = error.replace(['\n', '|'], " ");
                let _ = writeln!(
                    text,
                    "| {subject} | {what} | **FAILED**, {} errors: {error} | | | | |",
                    line.errors
                );
                continue;
            }
            let _ = writeln!(
                text,
                "| {subject} | {what} | **{}** | {} | {} | {} | {} |",
                line.cpu_micros_per_request.map_or("–".to_owned(), rounded),
                line.per_second.map_or(String::new(), rounded),
                line.p50_ms.map_or(String::new(), milliseconds),
                line.p99_ms.map_or(String::new(), milliseconds),
                line.resident_mib.map_or(String::new(), rounded),
            );
        }
        text
    }
}

impl Row {
    fn line(&self) -> Line {
        let median = |figure: &dyn Fn(&Sample) -> f64| median(self.rounds.iter().map(figure));
        let has_latency = self.rounds.iter().any(|round| !round.latencies.is_empty());
        let (cpu, rate) = (median(&Sample::cpu_each), median(&Sample::rate));
        let resident = self.rounds.last().map_or(0.0, |round| round.resident_mib);
        let failed = self.failed.clone();
        let error = self
            .rounds
            .iter()
            .find_map(|round| round.first_error.clone());
        Line {
            subject: self.subject,
            what: self.what.clone(),
            cpu_micros_per_request: cpu.is_finite().then_some(cpu),
            per_second: rate.is_finite().then_some(rate),
            p50_ms: has_latency.then(|| median(&|round: &Sample| round.latency(0.5))),
            p99_ms: has_latency.then(|| median(&|round: &Sample| round.latency(0.99))),
            resident_mib: (resident > 0.0).then_some(resident),
            errors: self.rounds.iter().map(|round| round.errors).sum(),
            error: failed.or(error),
        }
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let (low, high) = (figures.len().saturating_sub(1) / 2, figures.len() / 2);
    match (figures.get(low), figures.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}

/// Three digits are as much as a run can promise.
fn rounded(figure: f64) -> String {
    if figure < 10.0 {
        return format!("{figure:.1}");
    }
    let digits = format!("{figure:.0}");
    let mut text = String::with_capacity(digits.len() + 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn milliseconds(figure: f64) -> String {
    if figure < 10.0 {
        format!("{figure:.2}")
    } else {
        format!("{figure:.0}")
    }
}
