//! Whose audience it is, line by line of the order.

use super::*;
use crate::domain::ids::ClientId;
use crate::spec::client_metadata::ClientMetadata;

type Decided = Result<(String, String), AudienceError>;
type Formatted = Result<Format, AudienceError>;

const ISSUER: &str = "https://id.example";
const ORDERS: &str = "https://orders.example";
const STOCK: &str = "https://stock.example/";

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn all() -> Vec<Resource> {
    let server = |identifier: &str, scopes: &str| Resource {
        identifier: identifier.to_owned(),
        scopes: scope(scopes),
        ..Resource::default()
    };
    vec![
        server(ORDERS, "orders:read orders:write files"),
        server(STOCK, "stock:read files"),
    ]
}

fn client(default_resource: Option<&str>) -> Client {
    let metadata = ClientMetadata {
        redirect_uris: vec!["https://app.example/cb".to_owned()],
        scope: Some(scope(
            "openid email orders:read orders:write stock:read files signet:admin signet:decide odd",
        )),
        default_resource: default_resource.map(str::to_owned),
        ..ClientMetadata::default()
    };
    Client::register(ClientId::parse("app").unwrap(), metadata).unwrap()
}

fn decide(
    default_resource: Option<&str>,
    named: &[&str],
    asked: &str,
) -> Result<(Vec<String>, String), AudienceError> {
    let all = all();
    let servers = Servers {
        all: &all,
        issuer: ISSUER,
    };
    let client = client(default_resource);
    let targeted = Audience::decide(servers, &client, named.iter().copied(), &scope(asked))?;
    let aud = targeted.audience.aud(&targeted.scope);
    let aud = aud.into_iter().map(str::to_owned).collect();
    Ok((aud, targeted.scope.to_string()))
}

#[test]
fn the_order_is_resource_default_the_only_owner_and_the_issuer_rfc9068_3() {
    for (default, named, asked, aud, left) in [
        (
            Some(STOCK),
            &[ORDERS][..],
            "orders:read",
            &[ORDERS][..],
            "orders:read",
        ),
        (
            Some(STOCK),
            &[],
            "stock:read orders:read",
            &[STOCK],
            "stock:read",
        ),
        (
            Some("https://stock.example"),
            &[],
            "stock:read",
            &[STOCK],
            "stock:read",
        ),
        (
            Some("https://gone.example"),
            &[],
            "orders:read",
            &[ORDERS],
            "orders:read",
        ),
        (Some(ISSUER), &[], "orders:read", &[ISSUER], "orders:read"),
        (None, &[], "orders:read", &[ORDERS], "orders:read"),
        (
            None,
            &[],
            "orders:read files",
            &[ORDERS],
            "files orders:read",
        ),
        (
            None,
            &[],
            "openid email orders:read",
            &[ORDERS, ISSUER],
            "email openid orders:read",
        ),
        (None, &[], "openid email", &[ISSUER], "email openid"),
        (None, &[], "", &[ISSUER], ""),
        (None, &[], "odd", &[ISSUER], "odd"),
        (
            None,
            &[],
            "orders:read stock:read",
            &[ISSUER],
            "orders:read stock:read",
        ),
        (
            None,
            &[ORDERS, STOCK],
            "orders:read stock:read odd",
            &[ORDERS, STOCK],
            "orders:read stock:read",
        ),
    ] {
        let (got, scope) = decide(default, named, asked).unwrap();
        assert_eq!(
            (
                got.iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .as_slice(),
                scope.as_str()
            ),
            (aud, left),
            "{default:?} {named:?} {asked}"
        );
    }
}

#[test]
fn both_spellings_of_an_origin_are_one_and_the_registered_one_counts_rfc3986_6_2_3() {
    for named in [ORDERS, "https://orders.example/"] {
        assert_eq!(decide(None, &[named], "orders:read").unwrap().0, [ORDERS]);
    }
    for named in [STOCK, "https://stock.example"] {
        assert_eq!(decide(None, &[named], "stock:read").unwrap().0, [STOCK]);
    }
    let both = ["https://stock.example", STOCK];
    assert_eq!(decide(None, &both, "stock:read").unwrap().0, [STOCK]);
    let slash = "https://id.example/";
    assert_eq!(decide(None, &[slash], "signet:admin").unwrap().0, [ISSUER]);
    let other = decide(None, &["https://orders.example/v1"], "orders:read");
    assert_eq!(other, Err(AudienceError::NotForClient));
}

#[test]
fn a_scope_of_several_resource_servers_needs_resource() {
    for asked in ["files", "openid files", "files signet:decide"] {
        let error = decide(None, &[], asked).unwrap_err().to_string();
        assert!(
            error.contains("scope files") && error.contains("resource") && error.contains(STOCK),
            "{error}"
        );
    }
    assert_eq!(decide(None, &[STOCK], "files").unwrap().0, [STOCK]);
    assert_eq!(decide(Some(ORDERS), &[], "files").unwrap().0, [ORDERS]);
}

#[test]
fn scopes_of_signet_stand_beside_no_other_audience() {
    for (default, named, asked, aud, left) in [
        (
            None,
            &[ORDERS][..],
            "openid orders:read signet:admin",
            &[ORDERS, ISSUER][..],
            "openid orders:read",
        ),
        (
            None,
            &[ORDERS, ISSUER],
            "orders:read signet:decide",
            &[ORDERS, ISSUER],
            "orders:read",
        ),
        (
            Some(ORDERS),
            &[],
            "orders:read signet:admin",
            &[ORDERS],
            "orders:read",
        ),
        (
            None,
            &[ISSUER],
            "orders:read signet:admin",
            &[ISSUER],
            "signet:admin",
        ),
        (
            Some(ORDERS),
            &[ISSUER],
            "signet:decide",
            &[ISSUER],
            "signet:decide",
        ),
        (None, &[], "signet:admin", &[ISSUER], "signet:admin"),
        (
            None,
            &[],
            "orders:read signet:decide",
            &[ISSUER],
            "orders:read signet:decide",
        ),
    ] {
        let (got, scope) = decide(default, named, asked).unwrap();
        assert_eq!(
            (
                got.iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .as_slice(),
                scope.as_str()
            ),
            (aud, left),
            "{default:?} {named:?} {asked}"
        );
    }
}

#[test]
fn a_grant_covers_what_it_was_given_for_and_no_more() {
    let all = all();
    let servers = Servers {
        all: &all,
        issuer: ISSUER,
    };
    let client = client(None);
    let of = |servers: Servers<'_>, granted: &[&str], named: &[&str], asked: &str| -> Decided {
        let granted: Vec<String> = granted.iter().map(|it| (*it).to_owned()).collect();
        let named = named.iter().copied();
        let targeted = Audience::of_grant(servers, &client, &granted, named, &scope(asked))?;
        let audience = targeted.audience.identifiers();
        Ok((audience.join(" "), targeted.scope.to_string()))
    };
    let good =
        |audience: &str, scope: &str| -> Decided { Ok((audience.to_owned(), scope.to_owned())) };
    let both = &[ORDERS, STOCK][..];
    assert_eq!(
        of(servers, both, &[], "orders:read stock:read"),
        good(&both.join(" "), "orders:read stock:read")
    );
    assert_eq!(
        of(
            servers,
            both,
            &["https://stock.example"],
            "orders:read stock:read"
        ),
        good(STOCK, "stock:read")
    );
    assert_eq!(
        of(servers, &[ORDERS], &[STOCK], "files"),
        Err(AudienceError::NotGranted)
    );
    assert_eq!(
        of(servers, &[ISSUER], &[ORDERS], "orders:read"),
        Err(AudienceError::NotGranted)
    );
    assert_eq!(
        of(servers, &[ISSUER], &[], "orders:read stock:read"),
        good(ISSUER, "orders:read stock:read")
    );
    // Of before audiences were stored: the default of today.
    assert_eq!(
        of(servers, &[], &[], "orders:read"),
        good(ORDERS, "orders:read")
    );
    assert_eq!(
        of(servers, &[], &[STOCK], "orders:read"),
        Err(AudienceError::NotGranted)
    );
    assert_eq!(
        of(servers, &[], &[], "openid files"),
        good(ISSUER, "files openid")
    );
    // What is registered no more.
    let none = Servers {
        all: &[],
        issuer: ISSUER,
    };
    assert_eq!(
        of(none, &[ORDERS], &[], "openid orders:read"),
        good(ISSUER, "openid")
    );
    assert_eq!(
        of(none, &[ORDERS, ISSUER], &[], "openid orders:read"),
        good(ISSUER, "openid")
    );
    assert_eq!(
        of(none, &[ORDERS], &[ORDERS], "openid"),
        Err(AudienceError::NotForClient)
    );
}

#[test]
fn resource_servers_that_take_other_tokens_get_one_each() {
    let mut all = all();
    all[0].access_token_typ = AccessTokenTyp::Jwt;
    all[1].access_token_signing_alg = Some(SigningAlg::Ps256);
    let client = client(None);
    let format = |all: &[Resource], named: &[&str]| -> Formatted {
        let servers = Servers {
            all,
            issuer: ISSUER,
        };
        let named = named.iter().copied();
        let targeted = Audience::decide(servers, &client, named, &scope("files"))?;
        Ok(targeted.audience.format())
    };
    let is = |typ, alg| -> Formatted { Ok(Format { typ, alg }) };
    let differ = |setting| -> Formatted { Err(AudienceError::Differ { setting }) };
    assert_eq!(
        format(&all, &[ORDERS]),
        is(AccessTokenTyp::Jwt, SigningAlg::Es256)
    );
    assert_eq!(
        format(&all, &[ORDERS, ISSUER]),
        is(AccessTokenTyp::Jwt, SigningAlg::Es256)
    );
    assert_eq!(
        format(&all, &[STOCK]),
        is(AccessTokenTyp::AtJwt, SigningAlg::Ps256)
    );
    assert_eq!(
        format(&all, &[ISSUER]),
        is(AccessTokenTyp::AtJwt, SigningAlg::Es256)
    );
    assert_eq!(format(&all, &[ORDERS, STOCK]), differ("access_token_typ"));
    all[1].access_token_typ = AccessTokenTyp::Jwt;
    assert_eq!(
        format(&all, &[ORDERS, STOCK]),
        is(AccessTokenTyp::Jwt, SigningAlg::Ps256)
    );
    all[0].access_token_signing_alg = Some(SigningAlg::Rs256);
    assert_eq!(
        format(&all, &[ORDERS, STOCK]),
        differ("access_token_signing_alg")
    );
}
