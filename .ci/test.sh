#!/bin/bash
# Runs every test and ends with a count. Arguments go to the test binaries: `.ci/test.sh token_refresh`.
set -euo pipefail
cd "$(dirname "$0")/.."

# The tests mostly wait for other processes.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) * 2))}

# The store's own tests want a PostgreSQL to make databases in, and then start their own redis-servers.
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
dir=$(mktemp -d)
as_nobody_special() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}
stop() {
    as_nobody_special "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap stop EXIT
[ "$(id -u)" != 0 ] || chown postgres "$dir"
as_nobody_special "$bin/initdb" -D "$dir/data" -A trust -U postgres >/dev/null
as_nobody_special "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w start \
    -o "-k $dir -c listen_addresses='' -c fsync=off -c max_connections=300" >/dev/null
export STORE_TEST_POSTGRES="postgres:///postgres?host=$dir&user=postgres"
export STORE_TEST_REDIS=1

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
