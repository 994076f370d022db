//! How long a change of the policies takes until every instance decides by it.

use std::time::{Duration, Instant};

use super::asks;
use super::company;
use super::load::{Connection, Sample};
use super::site::{Beside, Site};

/// Changes that are made and waited for.
const CHANGES: usize = 10;

/// A policy of 201 is switched off and on by another process; the time from the return of `signet apply` until both of
/// two instances answer by it.
pub(crate) async fn measure(site: &Site) -> Result<Sample, String> {
    let beside = Beside::start(site);
    let mut instances = [
        Connection::new(site.address()),
        Connection::new(beside.address()),
    ];
    let question = company::about_the_switch(0).to_string();
    let mut latencies = Vec::new();
    for number in 0..=CHANGES {
        let enabled = number % 2 == 0;
        site.apply(&company::switch(enabled));
        let changed = Instant::now();
        for connection in &mut instances {
            let expected = format!("\"decision\":{enabled}");
            loop {
                let ask = asks::decide("/access/v1/evaluation", question.clone());
                let answer = connection.send(ask).await?;
                if asks::succeeded(&answer)?.contains(&expected) {
                    break;
                }
                if changed.elapsed() > Duration::from_secs(10) {
                    return Err("an instance does not decide by a change".to_owned());
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        // The first one only makes the policy.
        if number > 0 {
            latencies.push(changed.elapsed().as_micros() as u32);
        }
    }
    latencies.sort_unstable();
    Ok(Sample {
        done: latencies.len() as u64,
        // Neither a rate nor processor time means anything here.
        seconds: f64::NAN,
        cpu_micros: f64::NAN,
        latencies,
        ..Sample::default()
    })
}
