//! Runs the scripts that drive the server from outside: Node, Python, Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use josekit::jwk::KeyPair as _;
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jws::{ES256, JwsHeader};
use josekit::jwt::{self, JwtPayload};
use serde_json::json;

use super::client::random;
use super::server::Server;

/// A script that speaks for itself: it prints `N passed, 0 failed` last.
pub(crate) struct Script {
    program: PathBuf,
    arguments: Vec<String>,
}

impl Script {
    /// A Node script below `tests/`, whose packages `make test` has installed beside it.
    pub(crate) fn node(path: &str) -> Self {
        let script = tests().join(path);
        let packages = script.parent().unwrap().join("node_modules");
        assert!(
            packages.exists(),
            "{} is missing: run `make test-packages`",
            packages.display()
        );
        Self::new("node".into(), &script)
    }

    /// A Python script below `tests/`, run in the environment that `make test` has made under `target/`.
    pub(crate) fn python(path: &str) -> Self {
        let interpreter = tests().with_file_name("target/relying-party-python/bin/python");
        assert!(
            interpreter.exists(),
            "{} is missing: run `make test-packages`",
            interpreter.display()
        );
        Self::new(interpreter, &tests().join(path))
    }

    fn new(program: PathBuf, script: &Path) -> Self {
        Self {
            program,
            arguments: vec![script.to_str().unwrap().to_owned()],
        }
    }

    pub(crate) fn argument(mut self, value: &str) -> Self {
        self.arguments.push(value.to_owned());
        self
    }

    /// Runs the script; it must succeed, and must have tried something.
    pub(crate) fn passes(self) {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        let name = self.program.display();
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{name}: {}\n{out}{err}",
            output.status
        );
        let last = out.lines().last().unwrap_or_default();
        let passed = last
            .strip_suffix(" passed, 0 failed")
            .and_then(|count| count.parse::<u32>().ok());
        assert!(
            passed.is_some_and(|count| count > 0),
            "{name} does not end with a count:\n{out}{err}"
        );
    }
}

/// A key pair of a `private_key_jwt` client that the server has just been told about.
pub(crate) struct SigningClient {
    pub(crate) id: &'static str,
    pub(crate) private_key_pem: String,
}

/// Registers a client `signer` that signs its assertions with a fresh ES256 key.
pub(crate) fn register_signer(server: &Server, redirect_uri: &str) -> SigningClient {
    let (signer, [x, y]) = SigningClient::generate("signer");
    server.apply(&format!(
        r#"
        [[clients]]
        client_id = "signer"
        client_name = "Signer"
        redirect_uris = ["{redirect_uri}"]
        grant_types = ["authorization_code", "refresh_token", "client_credentials"]
        token_endpoint_auth_method = "private_key_jwt"
        token_endpoint_auth_signing_alg = "ES256"
        scope = "openid profile email offline_access orders:read"
        jwks = {{ keys = [{{ kty = "EC", crv = "P-256", use = "sig", alg = "ES256", kid = "signer-1", x = "{x}", y = "{y}" }}] }}
        "#
    ));
    signer
}

impl SigningClient {
    /// A client with a fresh ES256 key, and the coordinates of its public key.
    pub(crate) fn generate(id: &'static str) -> (Self, [String; 2]) {
        let pair = EcKeyPair::generate(EcCurve::P256).unwrap();
        let public = pair.to_jwk_public_key();
        let coordinate = |name: &str| public.parameter(name).unwrap().as_str().unwrap().to_owned();
        let signer = Self {
            id,
            private_key_pem: String::from_utf8(pair.to_pem_private_key()).unwrap(),
        };
        (signer, ["x", "y"].map(coordinate))
    }
}

/// An assertion of the client ([RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523#section-3)), signed after `change`.
pub(crate) fn assertion(
    server: &Server,
    signer: &SigningClient,
    change: impl FnOnce(&mut serde_json::Value),
) -> String {
    let mut claims = json!({
        "iss": signer.id,
        "sub": signer.id,
        "aud": server.issuer(),
        "jti": random(),
        "iat": now(),
        "exp": now() + 60,
    });
    change(&mut claims);
    let serde_json::Value::Object(claims) = claims else {
        unreachable!()
    };
    let mut header = JwsHeader::new();
    header.set_key_id("signer-1");
    let key = ES256.signer_from_pem(&signer.private_key_pem).unwrap();
    jwt::encode_with_signer(&JwtPayload::from_map(claims).unwrap(), &header, &key).unwrap()
}

/// The current time in seconds.
pub(crate) fn now() -> i64 {
    let since: Duration = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}
