# Sourced by what runs tests, until whose end it serves: the store's own tests want a PostgreSQL to make databases in, and
# then start their own redis-servers.
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
