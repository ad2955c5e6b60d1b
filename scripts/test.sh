#!/usr/bin/env bash
# Runs the whole suite with the race detector. The last lines say which MongoDB server the tests ran on.
set -euo pipefail
cd "$(dirname "$0")/.."
server=$(mktemp)
trap 'rm -f "$server"' EXIT
export CARERECORD_TEST_SERVER_FILE=$server
go test -race -timeout 25m ./...
# The law of the record once more, with all of its cases and with the broken guards.
go test -count=1 -timeout 25m -v -run . ./conformance/law | grep -aE "^(ok|FAIL|panic)|cases|requests|caught|LAW|CON-"
echo "MongoDB tests ran on: $(sort -u "$server" | paste -sd';')"
