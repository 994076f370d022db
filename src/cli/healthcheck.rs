//! `signet healthcheck`: for container runtimes, which have no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;

use super::answer::{Answer, Failure};
use crate::config::Config;

/// Asks the server that runs with this configuration on this machine.
pub async fn run(config: &Config) -> Result<Answer, Failure> {
    let address = reachable(config.management_listen);
    let hint = "is signet serve running with the same configuration?";
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()?;
    let response = client
        .get(format!("http://{address}/health/ready"))
        .send()
        .await
        .map_err(|_| Failure::new(format!("nothing answers at {address}")).hint(hint))?;
    let status = response.status();
    let unreadable = || Failure::new(format!("what answers at {address} is no Signet")).hint(hint);
    let text = response.bytes().await.map_err(|_| unreadable())?;
    let report: Value = serde_json::from_slice(&text).map_err(|_| unreadable())?;
    let mut lines = vec![report["status"].as_str().unwrap_or("no status").to_owned()];
    for (name, state) in report["checks"].as_object().into_iter().flatten() {
        lines.push(format!("  {name}: {}", state.as_str().unwrap_or_default()));
    }
    let answer = Answer::new(lines.join("\n"), report);
    Ok(if status.is_success() {
        answer
    } else {
        answer.failed()
    })
}

/// Where a server that listens on every address answers.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

const PATIENCE: Duration = Duration::from_secs(5);
