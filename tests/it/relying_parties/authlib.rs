//! PyPI `Authlib`

use super::setting;
use crate::support::engines::on_every_engine;
use crate::support::script::Script;

on_every_engine! {
    async fn authlib_signs_in_and_uses_every_endpoint(server: Server) {
        Script::python("relying_parties/python/relying_party.py").argument(&setting(&server)).passes();
    }
}
