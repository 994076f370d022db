//! What can happen, by name.

macro_rules! event_types {
    ($($name:ident = $text:literal,)*) => {
        /// The type of an event: a dotted name that never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventType {
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        impl EventType {
            /// Every type there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The dotted name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The type of that name.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    UserCreated = "user.created",
    UserUpdated = "user.updated",
    UserDisabled = "user.disabled",
    UserEnabled = "user.enabled",
    UserDeleted = "user.deleted",
    UserPasswordSet = "user.password_set",
    UserTokensRevoked = "user.tokens_revoked",
    SessionCreated = "session.created",
    SessionRenewed = "session.renewed",
    SessionEnded = "session.ended",
    SignInRefused = "sign_in.refused",
    ConsentGiven = "consent.given",
    ConsentDenied = "consent.denied",
    ConsentRevoked = "consent.revoked",
    CodeIssued = "code.issued",
    TokenIssued = "token.issued",
    TokenRefreshed = "token.refreshed",
    TokenRefused = "token.refused",
    TokenReplayed = "token.replayed",
    TokenRevoked = "token.revoked",
    GrantRevoked = "grant.revoked",
    ClientCreated = "client.created",
    ClientUpdated = "client.updated",
    ClientDisabled = "client.disabled",
    ClientEnabled = "client.enabled",
    ClientDeleted = "client.deleted",
    ClientSecretRotated = "client.secret_rotated",
    ClientRefused = "client.refused",
    ResourceCreated = "resource.created",
    ResourceUpdated = "resource.updated",
    ResourceDeleted = "resource.deleted",
    RoleCreated = "role.created",
    RoleUpdated = "role.updated",
    RoleDeleted = "role.deleted",
    GroupCreated = "group.created",
    GroupUpdated = "group.updated",
    GroupDeleted = "group.deleted",
    OrganizationCreated = "organization.created",
    OrganizationUpdated = "organization.updated",
    OrganizationDeleted = "organization.deleted",
    AssignmentCreated = "assignment.created",
    AssignmentDeleted = "assignment.deleted",
    MembershipCreated = "membership.created",
    MembershipDeleted = "membership.deleted",
    LevelSet = "level.set",
    LevelRemoved = "level.removed",
    PolicyCreated = "policy.created",
    PolicyUpdated = "policy.updated",
    PolicyDeleted = "policy.deleted",
    ObjectCreated = "object.created",
    ObjectUpdated = "object.updated",
    ObjectDeleted = "object.deleted",
    AttributeCreated = "attribute.created",
    AttributeUpdated = "attribute.updated",
    AttributeDeleted = "attribute.deleted",
    KeyRotated = "key.rotated",
    KeyDeleted = "key.deleted",
    AdminRecovered = "admin.recovered",
    SetupOffered = "setup.offered",
    SetupCompleted = "setup.completed",
    AccessDenied = "access.denied",
    AuditDropped = "audit.dropped",
    AuditTrimmed = "audit.trimmed",
    AuditTampered = "audit.tampered",
    WebhookCreated = "webhook.created",
    WebhookUpdated = "webhook.updated",
    WebhookDeleted = "webhook.deleted",
    WebhookDisabled = "webhook.disabled",
    WebhookSecretRotated = "webhook.secret_rotated",
    WebhookRedelivered = "webhook.redelivered",
}

impl EventType {
    /// What happens with every token and tells nothing by itself. There is so much of it that it is found by person,
    /// application and type alone, not by target or request: each of those would cost every token an index entry.
    #[must_use]
    pub const fn is_routine(self) -> bool {
        matches!(
            self,
            Self::CodeIssued | Self::TokenIssued | Self::TokenRefreshed
        )
    }

    /// A refusal, which callers can cause as often as they like.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::ClientRefused | Self::TokenRefused | Self::SignInRefused | Self::AccessDenied
        )
    }
}

impl std::fmt::Display for EventType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
