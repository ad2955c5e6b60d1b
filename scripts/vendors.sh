#!/usr/bin/env bash
# Fetches the client libraries that conformance/suite tries on the server, into .cache/vendors: fhirclient of Python, fhir-kit-client of
# npm, and the client of HAPI FHIR by Maven. What cannot be had is told of; its test is then skipped, and listed by scripts/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
home=.cache/vendors
mkdir -p "$home"
# once NAME COMMAND... runs a command that fetches NAME, unless it has succeeded before.
once() {
  [ -e "$home/$1.done" ] || { "${@:2}" && touch "$home/$1.done"; } || echo "$1 was not fetched: its test is skipped"
}
once fhirclient-4.4.0 python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --target "$home/python" fhirclient==4.4.0
once fhir-kit-client-2.0.3 npm install --silent --no-audit --no-fund --no-save --prefix "$home/npm" fhir-kit-client@2.0.3
once hapi-fhir-client-8.4.0 mvn -q -B -f conformance/suite/testdata/vendors/pom.xml dependency:copy-dependencies "-DoutputDirectory=$PWD/$home/hapi"
