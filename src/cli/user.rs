//! `signet user create|list|disable|enable|delete|set-password|revoke-tokens`.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, plain, table};
use super::operator::operator;
use super::report::explain;
use super::secret::PasswordArgs;
use crate::config::Secret;
use crate::domain::policy::Assignment;
use crate::domain::user::{User, username_key};
use crate::service::Services;
use crate::service::administration::{NewPassword, UserRow, accounts};
use crate::spec::standard_claims::StandardClaims;

/// People.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create a user.
    Create(CreateArgs),
    /// List users.
    List,
    /// Disable a user: end their sessions and revoke their tokens.
    Disable {
        /// The name they sign in with.
        name: String,
    },
    /// Delete a user with their sessions, tokens and data; the audit trail keeps what they did.
    Delete {
        /// The name they sign in with.
        name: String,
    },
    /// Enable a disabled user.
    Enable {
        /// The name they sign in with.
        name: String,
    },
    /// Set a user's password, end their sessions and revoke their tokens.
    SetPassword {
        /// The name they sign in with.
        name: String,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// End a user's sessions and revoke their tokens.
    RevokeTokens {
        /// The name they sign in with.
        name: String,
    },
}

/// A new person.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The name they sign in with.
    pub username: String,
    /// Their e-mail address.
    #[arg(long)]
    pub email: Option<String>,
    /// The address is known to be theirs.
    #[arg(long, requires = "email")]
    pub email_verified: bool,
    /// Their name, as people write it.
    #[arg(long, value_name = "FULL NAME")]
    pub name: Option<String>,
    /// A role of theirs; may be given several times.
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// They have no password, and cannot sign in with one until it is set.
    #[arg(long, conflicts_with_all = ["password_stdin", "password_file"])]
    pub no_password: bool,
    /// Where the password comes from.
    #[command(flatten)]
    pub password: PasswordArgs,
}

/// Does it.
pub async fn run(services: &Arc<Services>, command: UserCommand) -> Result<Answer, Failure> {
    let now = services.clock.now();
    match command {
        UserCommand::Create(args) => create(services, args).await,
        UserCommand::List => list(services).await,
        UserCommand::Disable { name } => {
            accounts::disable(services, &name, &operator(), now).await?;
            Ok(done(&name, "disabled", &Value::Null))
        }
        UserCommand::Delete { name } => {
            accounts::delete(services, &name, &operator(), now).await?;
            Ok(done(&name, "deleted", &Value::Null))
        }
        UserCommand::Enable { name } => {
            accounts::enable(services, &name, &operator(), now).await?;
            Ok(done(&name, "enabled", &Value::Null))
        }
        UserCommand::SetPassword { name, password } => {
            // Before a password is typed for a user who does not exist.
            accounts::find_id(services, &name).await?;
            let password = password.read()?;
            accounts::set_password(services, &name, password, &operator(), services.clock.now())
                .await?;
            Ok(done(&name, "password set", &Value::Null))
        }
        UserCommand::RevokeTokens { name } => {
            let version = accounts::revoke_tokens(services, &name, &operator(), now).await?;
            Ok(done(&name, "tokens revoked", &json!(version)))
        }
    }
}

async fn create(services: &Arc<Services>, args: CreateArgs) -> Result<Answer, Failure> {
    let password = if args.no_password {
        None
    } else {
        Some(NewPassword::Plain(Secret::new(args.password.read()?)))
    };
    let row = UserRow {
        username: args.username.clone(),
        password,
        email: args.email,
        email_verified: Some(args.email_verified),
        claims: StandardClaims {
            name: args.name,
            ..StandardClaims::default()
        },
        roles: Some(args.roles.into_iter().map(Assignment::of).collect()),
        ..UserRow::default()
    };
    let created = accounts::create(services, row, &operator(), services.clock.now()).await;
    let id = created.map_err(|error| explain(error, ToString::to_string))?;
    let text = format!("Created user {} ({id}).", plain(&args.username));
    Ok(Answer::new(
        text,
        json!({ "username": args.username, "id": id }),
    ))
}

async fn list(services: &Services) -> Result<Answer, Failure> {
    let mut people: Vec<User> = Vec::new();
    loop {
        let after = people.last().and_then(|user| username_key(&user.username));
        let page = services
            .store
            .list_users(after.as_deref().unwrap_or_default(), PAGE)
            .await?;
        if page.is_empty() {
            break;
        }
        people.extend(page);
    }
    let state = |user: &User| {
        if user.disabled_at.is_some() {
            "disabled"
        } else {
            "active"
        }
    };
    let rows: Vec<Vec<String>> = people
        .iter()
        .map(|user| {
            vec![
                plain(&user.username),
                plain(user.email.as_deref().unwrap_or_default()),
                state(user).to_owned(),
                user.created_at.rfc3339(),
                user.id.to_string(),
            ]
        })
        .collect();
    let shown: Vec<Value> = people
        .iter()
        .map(|user| {
            json!({
                "id": user.id,
                "username": user.username,
                "email": user.email,
                "email_verified": user.email_verified,
                "name": user.claims.name,
                "state": state(user),
                "token_version": user.token_version,
                "created_at": user.created_at.rfc3339(),
            })
        })
        .collect();
    Ok(Answer::new(
        table(&["username", "email", "state", "created at", "id"], &rows),
        json!({ "users": shown }),
    ))
}

fn done(name: &str, what: &str, version: &Value) -> Answer {
    let mut json = json!({ "username": name, "done": what });
    if !version.is_null() {
        json["token_version"] = version.clone();
    }
    Answer::new(format!("{}: {what}.", plain(name)), json)
}

const PAGE: i64 = 500;
