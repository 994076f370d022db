#!/bin/bash
# Changes one thing after another in a file and runs tests each time: what no test notices is printed as MISSED.
#
#   .ci/mutants.sh src/domain/sign_in.rs                   the library's tests
#   .ci/mutants.sh src/http/cookies.rs security:: cookies  these tests of both the library and tests/it
#
# Each change builds the crate anew: half a minute and more on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:?a file, such as src/domain/sign_in.rs}
shift

command -v cargo-mutants >/dev/null || [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo-mutants" ] ||
    cargo install --quiet --locked cargo-mutants@27.1.0

export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) * 2))}
. .ci/stores.sh

tests=(--lib)
[ $# = 0 ] || tests=(--lib --test it)
# A copy is changed, never the checkout; what was built before goes along.
cargo mutants --file "$file" --copy-target true --output target --timeout 300 --colors never \
    -- --locked "${tests[@]}" -- "$@"
