#!/bin/bash
# Runs the guides of templates/manual/applications with the software that they are about: `.ci/test-clients.sh caddy`.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --bin signet
. .ci/stores.sh
target/relying-party-python/bin/python tests/clients/run.py "$@"
