#!/bin/bash
# Runs every test and ends with a count. Arguments go to the test binaries: `.ci/test.sh token_refresh`.
set -euo pipefail
cd "$(dirname "$0")/.."

# The tests mostly wait for other processes.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) * 2))}

. .ci/stores.sh

log=target/test.log
mkdir -p target
status=0
# --no-fail-fast: one failing binary must not hide the others.
cargo test --locked --no-fail-fast -- "$@" 2>&1 | tee "$log" || status=$?

awk '
    /^test result: / {
        for (i = 1; i <= NF; i++) {
            if ($(i + 1) == "passed;") passed += $i
            if ($(i + 1) == "failed;") failed += $i
            if ($(i + 1) == "ignored;") ignored += $i
        }
        binaries++
    }
    END {
        if (!binaries) { print "no test was run"; exit 1 }
        printf "%d tests passed, %d failed, %d ignored\n", passed, failed, ignored
        # Nothing is skipped silently, and a run without tests proves nothing.
        if (failed || ignored || !passed) exit 1
    }
' "$log" || status=1
exit "$status"
