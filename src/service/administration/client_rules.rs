//! What a client can be registered as, and what of it an administrator may change.

use serde_json::{Map, Value};

use super::checking::Checking;
use super::kind::{differing, view};
use super::{Act, AdministrationError, KindName, Named, WRITE_ATTRIBUTES};
use crate::config::Secret;
use crate::config::parse::nearest;
use crate::crypto::secret::PlainToken;
use crate::domain::client::{Client, has_private_key};
use crate::domain::ids::ClientId;
use crate::domain::policy::{Of, Permission};
use crate::domain::redirect;
use crate::domain::resource::AccessTokenTyp;
use crate::service::registry::client_secrets;
use crate::service::tokens::claims;
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::grant_type::GrantType;
use crate::spec::standard_claims::BY_SCOPE;
use crate::store::error::StoreError;

/// A client as it is to be.
#[derive(Clone, Debug)]
pub struct ClientRow {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; where it is absent the client keeps what it has, or gets a random one.
    pub secret: Option<Secret>,
    /// Everything else.
    pub metadata: ClientMetadata,
}

/// A client that can be registered.
pub(super) struct CheckedClient {
    pub(super) client: Client,
    pub(super) secret: Option<PlainToken>,
}

impl Act {
    /// Refuses what the administrator may not change of a client.
    pub(super) async fn judge_client(
        &mut self,
        id: &str,
        was: Option<&Client>,
        is: Option<&ClientMetadata>,
    ) -> Result<(), AdministrationError> {
        // It introspects the tokens that are meant for what it is called.
        if id == self.services.config.issuer.as_str() || self.tx.find_resource(id).await?.is_some()
        {
            self.rights.require_all_rights("client_id")?;
        }
        let was = was.map(|was| &was.metadata);
        for metadata in was.into_iter().chain(is) {
            self.judge_power(metadata).await?;
        }
        let none = ClientMetadata::default();
        let (before, after) = (was.unwrap_or(&none), is.unwrap_or(&none));
        if before.attributes != after.attributes {
            self.require(WRITE_ATTRIBUTES, None).await?;
        }
        let (asked_before, asked_after) = (asked_of(before), asked_of(after));
        self.rights.require_if_policies_read(
            Named::Client(id),
            &asked_before,
            &asked_after,
            "attributes",
        )?;
        if self.rights.by().is_some() {
            require_operator(id, before, after)?;
        }
        let changed = differing(&view(before)?, &view(after)?);
        let harmful = |member: &&String| !HARMLESS.contains(&member.as_str());
        let is_another = was.is_none() || is.is_none() || changed.iter().any(|it| harmful(&it));
        if is_another {
            self.rights
                .require_if_policies_name(Named::Client(id), "client_id")?;
        }
        if let Some(permission) = &before.required_permission
            && after.required_permission != before.required_permission
        {
            self.rights
                .may_give_permission(permission, "required_permission")?;
        }
        // People are not asked before a first party gets what they have: who it is, and what it gets, is no member
        // that a delegate may choose.
        if is.is_some()
            && (before.first_party || after.first_party)
            && changed.iter().any(|it| harmful(&it))
        {
            self.rights.require_all_rights("first_party")?;
        }
        Ok(())
    }

    /// A client that may administrate, decide or introspect is as strong as an administrator who may do everything: its
    /// secrets and redirect URIs are keys to that. One that acts for itself has the permissions that its scopes require
    /// of people.
    async fn judge_power(&mut self, metadata: &ClientMetadata) -> Result<(), AdministrationError> {
        let scope = metadata.scope.clone().unwrap_or_default();
        if scope.iter().any(|token| token.starts_with("signet:")) {
            self.rights.require_all_rights("scope")?;
        }
        if metadata.may_introspect {
            self.rights.require_all_rights("may_introspect")?;
        }
        let mut types = metadata.grant_types.iter().flatten();
        let by_itself = types.any(|kind| *kind == GrantType::ClientCredentials);
        // Nor are people asked before a first party gets what they have.
        if by_itself || metadata.first_party {
            // There are few of them: every token request looks through them all.
            for resource in self.tx.list_resources().await? {
                for (token, permission) in &resource.scope_permissions {
                    if scope.contains(token) {
                        let permission = permission.to_string();
                        self.rights.may_give_permission(&permission, "scope")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Refuses a private-use scheme that names no domain, where an administrator or a client chooses it over HTTP: any
/// program on a person's machine may claim the same, so it is the operator who says that this one is known.
fn require_operator(
    id: &str,
    before: &ClientMetadata,
    after: &ClientMetadata,
) -> Result<(), AdministrationError> {
    let lists = [
        ("redirect_uris", &before.redirect_uris, &after.redirect_uris),
        (
            "post_logout_redirect_uris",
            &before.post_logout_redirect_uris,
            &after.post_logout_redirect_uris,
        ),
    ];
    for (field, had, has) in lists {
        let mut chosen = has.iter().filter(|uri| !had.contains(uri));
        if let Some(uri) = chosen.find(|uri| redirect::needs_operator(uri)) {
            let problem = format!(
                "{uri:?} has a private-use scheme without a dot, which only an operator may choose, in a document or at \
                the command line; use your domain name in reverse (RFC 8252 section 7.1)"
            );
            return Err(AdministrationError::mistake(
                KindName::Client,
                id,
                field,
                &problem,
            ));
        }
    }
    Ok(())
}

/// What policies may ask of a client: its attributes, and what Signet itself says of every client that has it.
fn asked_of(metadata: &ClientMetadata) -> Map<String, Value> {
    let mut asked = metadata.attributes.clone();
    let mut say = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            asked.insert(name.to_owned(), value);
        }
    };
    say("client_name", metadata.client_name.clone().map(Value::from));
    say(
        "first_party",
        metadata.first_party.then_some(Value::Bool(true)),
    );
    let kind = metadata.application_type.map(|it| format!("{it:?}"));
    say("application_type", kind.map(Value::from));
    let method = metadata.token_endpoint_auth_method;
    let method = method.map(|it| Value::from(it.as_str()));
    say("token_endpoint_auth_method", method);
    asked
}

/// Members that change neither who a client is, nor what it gets, nor what users are asked: how it looks, and how long
/// its tokens live. A delegate may change them also of a first party, and of a client that a policy names.
const HARMLESS: [&str; 9] = [
    "client_name",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
    "contacts",
    "require_auth_time",
    "attributes",
    "access_token_lifetime",
];

/// The client, if it can be registered; else its mistakes are noted. A scope that it has already is not asked about: an
/// act on another member does not fail for a resource server that went.
pub(super) async fn check_client(
    checking: &mut Checking<'_>,
    row: &ClientRow,
    was: Option<&Client>,
) -> Result<Option<CheckedClient>, StoreError> {
    checking.at(KindName::Client, &row.id);
    let Some(id) = ClientId::parse(&row.id) else {
        checking.refuse(
            "client_id",
            "expected 1 to 255 visible ASCII characters (RFC 6749 appendix A.1)",
        );
        return Ok(None);
    };
    let metadata = &row.metadata;
    // One that the document names is checked with its own settings.
    if !checking.is_named(KindName::Resource, &row.id)
        && checking.is_there(KindName::Resource, &row.id).await?
        && let Some(resource) = checking.tx.find_resource(&row.id).await?
        && resource.access_token_typ == AccessTokenTyp::Jwt
    {
        let problem = format!(
            "it would take the access tokens of resource server {:?} for ID tokens, as their access_token_typ is \
             \"JWT\": choose another client_id",
            resource.identifier
        );
        checking.refuse("client_id", problem);
    }
    if let Some(resource) = &metadata.default_resource {
        let kind = KindName::Resource;
        checking.refer("default_resource", kind, resource).await?;
    }
    if let Some(permission) = &metadata.required_permission
        && let Err(problem) = Permission::try_from(permission.clone())
    {
        checking.refuse("required_permission", problem);
    }
    check_claims(
        checking,
        "access_token_claims",
        &metadata.access_token_claims,
    );
    check_id_token_claims(checking, metadata);
    check_claims(checking, "userinfo_claims", &metadata.userinfo_claims);
    check_groups(checking, metadata);
    checking
        .attributes(&Of::Client, &metadata.attributes)
        .await?;
    checking.text("metadata", &Value::Object(view(metadata)?).to_string());
    if metadata.jwks.as_ref().is_some_and(has_private_key) {
        let problem = "holds a private or symmetric key: send public keys alone, and make a new pair, as others \
            may know this one";
        checking.refuse("jwks", problem);
    }
    if let Some(scope) = &metadata.scope {
        let known = was.map(|was| &was.scope);
        let added = scope
            .iter()
            .filter(|token| known.is_none_or(|known| !known.contains(token)));
        checking.scopes("scope", added).await?;
    }
    let secret = row.secret.as_ref().map(|secret| {
        check_secret(checking, &row.id, metadata, secret.expose());
        PlainToken::new(secret.expose())
    });
    match Client::register(id, metadata.clone()) {
        Ok(client) => Ok(Some(CheckedClient { client, secret })),
        Err(mistakes) => {
            for mistake in mistakes {
                checking.refuse(mistake.field, mistake.problem);
            }
            Ok(None)
        }
    }
}

/// Whether claims can be chosen for access tokens or `/userinfo`.
pub(super) fn check_claims(checking: &mut Checking<'_>, field: &str, claims: &[String]) {
    for claim in claims.iter().filter(|claim| !claims::is_name(claim)) {
        let names = claims::NAMES.join(", ");
        let problem = format!(
            "{claim:?}: expected {names} or {}NAME with a name that tokens do not use",
            claims::ATTRIBUTE
        );
        let hint = if claims::is_standard(claim) {
            let sentence =
                "standard claims go by scope into /userinfo, and by id_token_claims into ID tokens";
            Some(sentence.to_owned())
        } else {
            meant(claim, claims::NAMES.into_iter())
        };
        checking.refuse_with_hint(field, problem, hint);
    }
}

/// The same for ID tokens, which take standard claims too (OpenID Connect Core §5.4).
fn check_id_token_claims(checking: &mut Checking<'_>, metadata: &ClientMetadata) {
    let field = "id_token_claims";
    let standard = BY_SCOPE.iter();
    let standard = standard.flat_map(|(_, claims)| claims.iter().copied());
    let all = claims::NAMES.into_iter().chain(standard);
    let all: Vec<&str> = std::iter::once(claims::SCOPE).chain(all).collect();
    for claim in &metadata.id_token_claims {
        let is_scope = BY_SCOPE.iter().any(|(scope, _)| scope == claim);
        if !claims::is_name(claim) && !claims::is_standard(claim) {
            let names = claims::NAMES.join(", ");
            let problem = format!(
                "{claim:?}: expected {}, a standard claim (name, email, preferred_username, …), {names} or {}NAME with a name that tokens do not use",
                claims::SCOPE,
                claims::ATTRIBUTE
            );
            let hint = if is_scope {
                Some(format!(
                    "{:?} is all that the granted scopes cover",
                    claims::SCOPE
                ))
            } else {
                meant(claim, all.iter().copied())
            };
            checking.refuse_with_hint(field, problem, hint);
        } else if claim == "profile" {
            let title = checking.title();
            checking.warn(format!(
                "{field} of {title}: \"profile\" is the claim of that name, the address of a page; \"scope\" is all that the granted scopes cover"
            ));
        }
    }
}

fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean {near:?}?"))
}

/// The groups that a client is told of.
fn check_groups(checking: &mut Checking<'_>, metadata: &ClientMetadata) {
    let patterns = &metadata.groups;
    if patterns.len() > MAX_PATTERNS {
        let problem = format!(
            "expected at most {MAX_PATTERNS} names or patterns, got {}",
            patterns.len()
        );
        checking.refuse("groups", problem);
    }
    let fits = |pattern: &&String| {
        let length = 1..=MAX_PATTERN_BYTES;
        length.contains(&pattern.len()) && !pattern.chars().any(char::is_control)
    };
    for pattern in patterns.iter().filter(|pattern| !fits(pattern)) {
        let problem = format!(
            "{pattern:?}: expected the name of a group, or a pattern like \"shop-*\", of 1 to {MAX_PATTERN_BYTES} bytes without control characters"
        );
        checking.refuse("groups", problem);
    }
}

/// Most names and patterns of groups that one client has, and most bytes of one.
const MAX_PATTERNS: usize = 100;
const MAX_PATTERN_BYTES: usize = 255;

fn check_secret(checking: &mut Checking<'_>, name: &str, metadata: &ClientMetadata, secret: &str) {
    if let Some(method) = metadata.token_endpoint_auth_method
        && !method.uses_secret()
    {
        let problem = format!(
            "token_endpoint_auth_method = {:?} uses no secret",
            method.as_str()
        );
        checking.refuse("client_secret", problem);
    }
    // RFC 6749 appendix A.2 knows ASCII alone, its appendix B sends whatever UTF-8 there is.
    if secret.chars().any(char::is_control) {
        checking.refuse("client_secret", "expected no control characters");
    }
    if secret.len() < client_secrets::MIN_BYTES {
        let problem = format!(
            "expected at least {} random characters",
            client_secrets::MIN_BYTES
        );
        checking.refuse("client_secret", problem);
    } else if secret.len() < client_secrets::SHORT_BYTES {
        checking.warn(format!(
            "the secret of client {name:?} is short; {} random characters cannot be guessed",
            client_secrets::SHORT_BYTES
        ));
    }
}
