#!/bin/bash
# Installs the pinned npm and PyPI packages of the tests; quick when they are there already.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/python.sh

.ci/npm.sh tests/relying_parties/js
.ci/npm.sh tests/browser
python target/relying-party-python tests/relying_parties/python/requirements.txt
python target/schemathesis-python tests/schemathesis/requirements.txt
