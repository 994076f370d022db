//! Every test of behaviour runs on every engine.

/// Where the server under test keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The embedded default: a file and memory.
    Sqlite,
    /// PostgreSQL alone.
    Postgres,
    /// PostgreSQL with Redis beside it, as in production.
    PostgresRedis,
}

impl Engine {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::PostgresRedis => "postgres_redis",
        }
    }
}

/// Makes `name::sqlite`, `name::postgres` and `name::postgres_redis` out of `async fn name(server: Server)`.
macro_rules! on_every_engine {
    ($($(#[$attribute:meta])* async fn $name:ident($server:ident: Server) $body:block)+) => {
        $(
            $(#[$attribute])*
            async fn $name($server: $crate::support::server::Server) $body

            mod $name {
                use $crate::support::{engines::Engine, server::Server};

                #[tokio::test]
                async fn sqlite() {
                    super::$name(Server::start(Engine::Sqlite)).await;
                }

                #[tokio::test]
                async fn postgres() {
                    super::$name(Server::start(Engine::Postgres)).await;
                }

                #[tokio::test]
                async fn postgres_redis() {
                    super::$name(Server::start(Engine::PostgresRedis)).await;
                }
            }
        )+
    };
}
pub(crate) use on_every_engine;
