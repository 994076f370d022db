#!/bin/bash
# Installs Debian packages that are missing; quick and silent when all are present.
#
#   .ci/packages.sh build    what `cargo build` needs beside Rust
#   .ci/packages.sh test     what the tests start: PostgreSQL, Redis, Chromium, Node, Python
#   .ci/packages.sh clients  software that the guides of the manual are about
set -euo pipefail

case ${1:-} in
    build) wanted=(build-essential ca-certificates libssl-dev pkg-config) ;;
    test) wanted=(chromium curl fonts-dejavu-core postgresql procps redis-server util-linux) ;;
    clients)
        wanted=(apache2 caddy libapache2-mod-auth-openidc nginx openssl)
        wanted+=(ruby ruby-omniauth-openid-connect ruby-sinatra ruby-webrick)
        ;;
    *) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# A Node or Python that came from elsewhere is as good as Debian's.
if [ "$1" = test ]; then
    command -v node >/dev/null && command -v npm >/dev/null || wanted+=(nodejs npm)
    python3 -c 'import venv, ensurepip' 2>/dev/null || wanted+=(python3 python3-venv)
fi
missing=()
for package in "${wanted[@]}"; do
    installed "$package" || missing+=("$package")
done
[ ${#missing[@]} = 0 ] && exit 0

echo "installing ${missing[*]}"
# The clusters and servers are the tests' own: Debian's must not be created or started.
if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    as_root mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null
