#!/bin/bash
# Installs the pinned npm packages of a directory: `.ci/npm.sh tests/browser`.
set -euo pipefail
cd "$(dirname "$0")/.."
# npm notes what it has installed in this file.
installed=$1/node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ "$1/package-lock.json" -nt "$installed" ]; then
    npm --prefix "$1" ci --no-audit --no-fund --ignore-scripts --loglevel=error
    touch "$installed"
fi
