//! The command line: noun, then verb.
//!
//! Every command prints one answer on standard output, as text or, with `--json`, as one JSON document; logs and
//! errors go to standard error. The exit code is 0 when it worked, 1 when it did not (a configuration that cannot be
//! used included), and 2 when the command was not understood. Secrets come through standard input or files, never
//! through arguments, which every process of the machine can read.

pub mod admin;
pub mod answer;
pub mod apply;
pub mod audit;
pub mod client;
pub mod config;
pub mod document;
pub mod healthcheck;
pub mod key;
pub mod migrate;
mod operator;
pub mod policy;
mod report;
pub mod secret;
pub mod serve;
pub mod settings;
pub mod user;
pub mod webhook;

#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use self::answer::{Answer, Failure};
use self::settings::SettingsArgs;
use crate::config::Config;
use crate::service::Services;
use crate::telemetry;

/// Signet, an OAuth 2.0 and OpenID Connect identity provider.
#[derive(Debug, Parser)]
#[command(name = "signet", version, arg_required_else_help = true)]
pub struct Cli {
    /// Print one JSON document on standard output, and errors as JSON on standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// Log what happens; commands other than serve log warnings only.
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// Settings over the environment and the file.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(serve::ServeArgs),
    /// Apply a document of resource servers, clients, users, groups, roles, policies and more.
    Apply(apply::ApplyArgs),
    /// Users: create, list, disable, delete, set passwords.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Clients: create, list, disable, rotate secrets.
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Signing keys: list, rotate.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Decisions and policies: check, test, validate.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// The audit trail: list, verify.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Webhooks: create, list, disable, delete.
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// Migrate the database to this version; serve does it at start.
    Migrate,
    /// The configuration: check.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Administrators: recover access.
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Ask the running server on this machine whether it is ready.
    Healthcheck,
}

/// Reads the process's arguments and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return answer::usage(&error, std::env::args_os().any(|arg| arg == "--json")),
    };
    let json = cli.json;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let answered = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(Failure::from(error)),
    };
    match answered {
        Ok(answer) => answer.print(json),
        Err(failure) => failure.print(json),
    }
}

/// Does what a command line says.
pub async fn run(cli: Cli) -> Result<Answer, Failure> {
    let config = cli.settings.load()?;
    let filter = match (&cli.command, cli.verbose) {
        (Command::Serve(_), _) | (_, true) => config.log.as_str(),
        (_, false) => "warn",
    };
    // Fails when it was started before, as by tests: then there are logs.
    let _ = telemetry::init(filter, config.log_format);
    match cli.command {
        Command::Serve(args) => serve::run(config, args.dev, cli.json)
            .await
            .map(|()| Answer::none())
            .map_err(|error| Failure::from_anyhow(&error)),
        Command::Config(command) => Ok(config::run(&command, &config)),
        Command::Migrate => migrate::run(&config).await,
        Command::Healthcheck => healthcheck::run(&config).await,
        Command::Apply(args) => {
            // Read first: a document with mistakes should not create a database.
            let document = apply::read(&args)?;
            with_services(config, async |services| {
                apply::run(services, &args, document).await
            })
            .await
        }
        Command::User(command) => {
            with_services(config, async |services| user::run(services, command).await).await
        }
        Command::Client(command) => {
            with_services(config, async |services| {
                client::run(services, command).await
            })
            .await
        }
        Command::Key(command) => {
            with_services(config, async |services| key::run(services, command).await).await
        }
        Command::Policy(command) => {
            with_services(config, async |services| {
                policy::run(services, command).await
            })
            .await
        }
        Command::Audit(command) => {
            with_services(config, async |services| audit::run(services, command).await).await
        }
        Command::Webhook(command) => {
            with_services(config, async |services| {
                webhook::run(services, command).await
            })
            .await
        }
        Command::Admin(command) => {
            with_services(config, async |services| {
                admin::run(services, &command).await
            })
            .await
        }
    }
}

async fn with_services<F>(config: Config, command: F) -> Result<Answer, Failure>
where
    F: AsyncFnOnce(&Arc<Services>) -> Result<Answer, Failure>,
{
    let services = Services::start(config).await?;
    let answered = command(&services).await;
    services.store.db().close().await;
    answered
}
