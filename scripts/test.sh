#!/usr/bin/env bash
# Runs the whole suite with the race detector, then without it what is too long for it. The last line says which MongoDB server
# the tests ran on. CARERECORD_SOAK=10 makes long tests ten times as long (make soak).
set -euo pipefail
cd "$(dirname "$0")/.."
server=$(mktemp)
trap 'rm -f "$server"' EXIT
export CARERECORD_TEST_SERVER_FILE=$server
timeout=25m
[ "${CARERECORD_SOAK:-1}" = 1 ] || timeout=6h
# A package that fails shows everything it said; of one that passes, what its tests counted, and those that took five seconds or more.
go test -race -v -timeout "$timeout" ./... 2>&1 | tr '\r' '\n' | awk '
	{ all = all $0 "\n" }
	/_test\.go:[0-9]+: [0-9]+ |_test\.go:[0-9]+: (skipped|with the race)|random\.go:[0-9]+: / { said = said "    " $0 "\n" }
	/^ *--- (PASS|SKIP): .*\(([5-9]|[0-9][0-9]+)\.[0-9]+s\)/ { said = said $0 "\n" }
	/^(ok|FAIL|\?) *\t/ {
		printf "%s", /^FAIL/ ? all : said
		if (!/^\?/) print
		all = said = ""; fflush()
	}
	END { printf "%s", all }'
# The law of the record once more, with all of its cases and with the broken guards.
go test -count=1 -timeout "$timeout" -v -run . ./conformance/law | grep -aE "^(ok|FAIL|panic)|cases|requests|caught|LAW|CON-"
# The whole Synthea set on both engines, which with the race detector is fifteen bundles.
go test -count=1 -timeout 20m -v -run TestSyntheaWhole ./conformance/suite | tr '\r' '\n' | grep -avE 'loading \('
echo "MongoDB tests ran on: $(sort -u "$server" | paste -sd';')"
