//! npm `openid-client`

use super::setting;
use crate::support::engines::on_every_engine;
use crate::support::script::Script;

on_every_engine! {
    async fn openid_client_signs_in_and_uses_every_endpoint(server: Server) {
        Script::node("relying_parties/js/relying_party.mjs").argument(&setting(&server)).passes();
    }
}
