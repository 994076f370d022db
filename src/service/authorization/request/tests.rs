//! Where the wanted `acr` comes from: `claims`, `acr_values`, the client's `default_acr_values`.

use serde_json::json;

use super::*;
use crate::domain::ids::ClientId;
use crate::spec::client_metadata::ClientMetadata;

const PASSWORD: &str = "urn:signet:acr:password";
const STRONGER: &str = "urn:signet:acr:test";
const UNKNOWN: &str = "urn:of:tomorrow";

fn client(default_acr_values: &[&str]) -> Client {
    let metadata = ClientMetadata {
        redirect_uris: vec!["https://web.example.test/callback".to_owned()],
        default_acr_values: default_acr_values.iter().map(ToString::to_string).collect(),
        ..ClientMetadata::default()
    };
    Client::register(ClientId::parse("web").unwrap(), metadata).unwrap()
}

/// What a request with these parameters wants of a client that defaults to the stronger sign-in.
fn wanted(parameters: &[(&str, &str)]) -> WantedAcr {
    let pairs = parameters.iter();
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let params = Params::from_pairs(pairs.collect());
    let claims = params.find("claims").map(ClaimsRequest::parse);
    let claims = claims.transpose().unwrap().unwrap_or_default();
    acr(&client(&[UNKNOWN, STRONGER]), &params, &claims)
}

fn claims(wish: &serde_json::Value) -> String {
    json!({ "id_token": { "acr": wish } }).to_string()
}

#[test]
fn the_clients_default_counts_where_the_request_says_nothing_oidc_registration_2() {
    let stronger = WantedAcr::Preferred(vec![Acr::TwoFactors]);
    assert_eq!(wanted(&[]), stronger);
    // `acr` asked for with no value in mind says nothing either.
    for wish in [json!(null), json!({ "essential": true }), json!({})] {
        assert_eq!(wanted(&[("claims", &claims(&wish))]), stronger, "{wish}");
    }
    let none = acr(
        &client(&[]),
        &Params::from_pairs(Vec::new()),
        &ClaimsRequest::default(),
    );
    assert_eq!(none, WantedAcr::Preferred(Vec::new()));
}

#[test]
fn acr_values_go_before_the_clients_default_oidc_registration_2() {
    let weaker = WantedAcr::Preferred(vec![Acr::Password]);
    assert_eq!(wanted(&[("acr_values", PASSWORD)]), weaker);
    // Even where none of them can be given: the client has chosen, and can do without.
    let nothing = WantedAcr::Preferred(Vec::new());
    assert_eq!(wanted(&[("acr_values", UNKNOWN)]), nothing);
}

#[test]
fn the_acr_claim_goes_before_acr_values_and_default_oidc_core_5_5_1_1() {
    let weaker = claims(&json!({ "value": PASSWORD }));
    let with = |claims: &str| wanted(&[("claims", claims), ("acr_values", STRONGER)]);
    assert_eq!(with(&weaker), WantedAcr::Preferred(vec![Acr::Password]));
    let required = claims(&json!({ "essential": true, "values": [UNKNOWN, PASSWORD] }));
    assert_eq!(with(&required), WantedAcr::Required(vec![Acr::Password]));
}
