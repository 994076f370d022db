#!/bin/bash
# Installs and builds the software that the guides of templates/manual/applications are about, in the versions that
# tests/clients pins; quick when all is there. Needs Go, a JDK and Maven beside what .ci/packages.sh installs.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/python.sh

.ci/packages.sh clients
for program in go javac mvn node; do
    command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
mkdir -p target/clients

.ci/npm.sh tests/clients/js
for name in authlib django jupyterhub synapse; do
    python "target/clients/python-$name" "tests/clients/python/$name.txt"
done

# A program is built when the file that pins it is newer.
go_program() {
    local name=$1 package=$2 pins=tests/clients/go/$1
    if [ ! -e "target/clients/$name" ] || [ -n "$(find "$pins" -newer "target/clients/$name")" ]; then
        (cd "$pins" && go build -o "../../../../target/clients/$name" "$package")
    fi
}
go_program oauth2-proxy github.com/oauth2-proxy/oauth2-proxy/v7
go_program kubernetes .

for version in 3 4; do
    classpath=target/clients/java-boot-$version.classpath
    if [ ! -e "$classpath" ] || [ "tests/clients/java/boot-$version/pom.xml" -nt "$classpath" ]; then
        mvn --quiet --batch-mode --file "tests/clients/java/boot-$version/pom.xml" \
            dependency:build-classpath -Dmdep.outputFile="$PWD/$classpath"
    fi
done
