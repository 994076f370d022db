//! `signet client create|list|rotate-secret|disable|enable`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, plain, table};
use super::operator::operator;
use super::report::explain;
use super::secret;
use crate::config::Secret;
use crate::config::parse::{duration, show_duration};
use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::service::Services;
use crate::service::administration::{AdministrationError, ClientRow, accounts};
use crate::service::tokens::claims;
use crate::service::tokens::revoke::ClientState;
use crate::spec::auth_method::{AuthMethod, RegisteredMethod};
use crate::spec::client_metadata::{ApplicationType, ClientMetadata};
use crate::spec::grant_type::GrantType;
use crate::spec::scope::Scope;

/// Clients.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register a client; its secret is shown once.
    Create(Box<CreateArgs>),
    /// List clients.
    List,
    /// Replace a client's secret; the new one is shown once.
    RotateSecret {
        /// The `client_id`.
        client_id: String,
        /// How long the old secret stays valid, so that running instances can change over.
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
        keep: Duration,
        /// End every older secret at once, on every instance.
        #[arg(long, conflicts_with = "keep")]
        revoke_old: bool,
    },
    /// Disable a client: revoke its grants and tokens.
    Disable {
        /// The `client_id`.
        client_id: String,
    },
    /// Enable a disabled client.
    Enable {
        /// The `client_id`.
        client_id: String,
    },
}

/// A new client. `signet apply` knows every other setting.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Its `client_id`.
    pub client_id: String,
    /// Where authorization responses may go; may be given several times.
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub redirect_uris: Vec<String>,
    /// Where people may go after signing out; may be given several times.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    pub post_logout_redirect_uris: Vec<String>,
    /// A grant type it may use; may be given several times [default: authorization_code].
    #[arg(long = "grant-type", value_name = "TYPE", value_parser = PossibleValuesParser::new(GrantType::ALL.map(GrantType::as_str)))]
    pub grant_types: Vec<String>,
    /// What it may ask for at most, separated by spaces.
    #[arg(long, value_parser = Scope::parse)]
    pub scope: Option<Scope>,
    /// The only way in which it authenticates [default: its secret, by header or by body].
    #[arg(long, value_name = "METHOD", value_parser = PossibleValuesParser::new(AuthMethod::ALL.map(AuthMethod::as_str)))]
    pub auth_method: Option<String>,
    /// Whether its authorization requests need PKCE; public clients always do [default: true].
    #[arg(long, value_name = "BOOL")]
    pub require_pkce: Option<bool>,
    /// What its ID tokens say of people, separated by spaces: scope for all that the granted scopes cover, or single
    /// claims; empty for nothing [default: scope, for a client with a secret].
    #[arg(long, value_name = "CLAIMS")]
    pub id_token_claims: Option<String>,
    /// A group that its tokens may name, or a pattern like shop-*; may be given several times [default: all].
    #[arg(long = "group", value_name = "PATTERN")]
    pub groups: Vec<String>,
    /// Where it publishes its public keys, for private_key_jwt.
    #[arg(long, value_name = "URL")]
    pub jwks_uri: Option<String>,
    /// The name that people are shown.
    #[arg(long)]
    pub name: Option<String>,
    /// It is your own: people are not asked for consent.
    #[arg(long)]
    pub first_party: bool,
    /// It is a resource server that may introspect every token.
    #[arg(long)]
    pub may_introspect: bool,
    /// It runs on people's devices (RFC 8252).
    #[arg(long)]
    pub native: bool,
    /// Read its secret from a file instead of making one; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

impl CreateArgs {
    fn metadata(&self) -> ClientMetadata {
        let method = self.auth_method.as_deref().and_then(AuthMethod::parse);
        let with_secret = RegisteredMethod::of(method, self.jwks_uri.is_some()).uses_secret();
        let types = self.grant_types.iter();
        let types: Vec<GrantType> = types.filter_map(|name| GrantType::parse(name)).collect();
        let for_people = types.is_empty() || types.contains(&GrantType::AuthorizationCode);
        let reads_people = with_secret && for_people;
        ClientMetadata {
            groups: self.groups.clone(),
            client_name: self.name.clone(),
            redirect_uris: self.redirect_uris.clone(),
            post_logout_redirect_uris: self.post_logout_redirect_uris.clone(),
            grant_types: Some(types).filter(|types| !types.is_empty()),
            scope: self.scope.clone(),
            token_endpoint_auth_method: method,
            require_pkce: self.require_pkce,
            // Most libraries of applications with a secret read the person from the ID token.
            id_token_claims: match &self.id_token_claims {
                Some(claims) => claims.split_whitespace().map(str::to_owned).collect(),
                None if reads_people => vec![claims::SCOPE.to_owned()],
                None => Vec::new(),
            },
            jwks_uri: self.jwks_uri.clone(),
            first_party: self.first_party,
            may_introspect: self.may_introspect,
            application_type: self.native.then_some(ApplicationType::Native),
            ..ClientMetadata::default()
        }
    }
}

/// Does it.
pub async fn run(services: &Arc<Services>, command: ClientCommand) -> Result<Answer, Failure> {
    let now = services.clock.now();
    match command {
        ClientCommand::Create(args) => create(services, &args).await,
        ClientCommand::List => list(services).await,
        ClientCommand::RotateSecret {
            client_id,
            keep,
            revoke_old,
        } => {
            let id = parse(&client_id)?;
            let keep = if revoke_old { Duration::ZERO } else { keep };
            let by = operator();
            let rotated = accounts::rotate_client_secret(services, &id, keep, &by, now).await;
            let secret = rotated.map_err(refused)?;
            let until = now.plus(keep).rfc3339();
            let old = if keep.is_zero() {
                "Every older one has ended.".to_owned()
            } else {
                let keep = show_duration(keep);
                format!(
                    "The old one is valid for {keep}, until {until}; --revoke-old ends it at once."
                )
            };
            let text = format!(
                "The new secret of client {id}, shown this once:\n\n  {}\n\n{old}",
                secret.expose(),
            );
            Ok(Answer::new(
                text,
                json!({
                    "client_id": id,
                    "client_secret": secret.expose(),
                    "old_valid_until": until,
                }),
            ))
        }
        ClientCommand::Disable { client_id } => {
            let id = parse(&client_id)?;
            let state = ClientState::Disabled;
            let done = accounts::set_client_state(services, &id, state, &operator(), now).await;
            done.map_err(refused)?;
            Ok(is(&id, "disabled"))
        }
        ClientCommand::Enable { client_id } => {
            let id = parse(&client_id)?;
            let state = ClientState::Enabled;
            let done = accounts::set_client_state(services, &id, state, &operator(), now).await;
            done.map_err(refused)?;
            Ok(is(&id, "enabled"))
        }
    }
}

async fn create(services: &Arc<Services>, args: &CreateArgs) -> Result<Answer, Failure> {
    let secret = match &args.secret_file {
        None => None,
        Some(path) if path.as_os_str() == "-" => Some(secret::read(std::io::stdin().lock())?),
        Some(path) => Some(secret::read_file(path)?),
    };
    let row = ClientRow {
        id: args.client_id.clone(),
        secret: secret.map(Secret::new),
        metadata: args.metadata(),
    };
    let created = accounts::register(services, &row, &operator(), services.clock.now()).await;
    let put = created.map_err(|error| explain(error, ToString::to_string))?;
    let mut text = format!("Created client {}.", args.client_id);
    let mut json = json!({ "client_id": args.client_id });
    if let Some(secret) = &put.secret {
        let secret = secret.expose();
        text.push_str("\nIts secret, shown this once:\n\n  ");
        text.push_str(secret);
        json["client_secret"] = secret.into();
    }
    for warning in &put.warnings {
        text.push_str("\nwarning: ");
        text.push_str(warning);
    }
    Ok(Answer::new(text, json))
}

async fn list(services: &Services) -> Result<Answer, Failure> {
    let mut clients: Vec<Client> = Vec::new();
    loop {
        let after = clients.last().map(|client| client.id.clone());
        let page = services
            .store
            .list_clients(after.as_ref().map_or("", ClientId::as_str), PAGE)
            .await?;
        if page.is_empty() {
            break;
        }
        clients.extend(page);
    }
    let state = |client: &Client| {
        if client.disabled_at.is_some() {
            "disabled"
        } else {
            "active"
        }
    };
    let rows: Vec<Vec<String>> = clients
        .iter()
        .map(|client| {
            let name = client.metadata.client_name.as_deref().unwrap_or_default();
            let types = GrantType::ALL.into_iter();
            let types: Vec<&str> = types
                .filter(|grant_type| client.has_grant_type(*grant_type))
                .map(GrantType::as_str)
                .collect();
            vec![
                client.id.to_string(),
                plain(name),
                client.auth_method.shown().to_owned(),
                types.join(" "),
                state(client).to_owned(),
            ]
        })
        .collect();
    let shown: Vec<Value> = clients
        .iter()
        .map(|client| {
            let mut value = json!(client.metadata);
            value["client_id"] = json!(client.id);
            value["state"] = json!(state(client));
            value
        })
        .collect();
    Ok(Answer::new(
        table(
            &["client_id", "name", "auth method", "grant types", "state"],
            &rows,
        ),
        json!({ "clients": shown }),
    ))
}

fn parse(client_id: &str) -> Result<ClientId, Failure> {
    ClientId::parse(client_id).ok_or_else(|| unknown(client_id))
}

fn unknown(client_id: &str) -> Failure {
    Failure::new(format!("there is no client {client_id:?}")).hint("signet client list")
}

fn refused(error: AdministrationError) -> Failure {
    match error {
        AdministrationError::NotFound { name, .. } => unknown(&name),
        error => error.into(),
    }
}

fn is(id: &ClientId, what: &str) -> Answer {
    Answer::new(
        format!("{id}: {what}."),
        json!({ "client_id": id, "done": what }),
    )
}

const PAGE: i64 = 500;
