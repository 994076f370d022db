#!/bin/bash
# Installs the pinned npm and PyPI packages of the tests; quick when they are there already.
set -euo pipefail
cd "$(dirname "$0")/.."

for package in tests/relying_parties/js tests/browser; do
    # npm notes what it has installed in this file.
    installed=$package/node_modules/.package-lock.json
    if [ ! -e "$installed" ] || [ "$package/package-lock.json" -nt "$installed" ]; then
        npm --prefix "$package" ci --no-audit --no-fund --ignore-scripts --loglevel=error
        touch "$installed"
    fi
done

python() {
    local environment=$1 requirements=$2
    if ! cmp -s "$requirements" "$environment/requirements.txt"; then
        python3 -m venv "$environment"
        "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$requirements"
        cp "$requirements" "$environment/requirements.txt"
    fi
}
python target/relying-party-python tests/relying_parties/python/requirements.txt
python target/schemathesis-python tests/schemathesis/requirements.txt
