#!/usr/bin/env bash
# Runs all tests in four parts: every package but conformance/suite and conformance/browser with the race detector, then all 200 rounds of
# conformance/atonce, all random regions of conformance/persons and conformance/browser without it; in parallel the law once more, with all of its cases and with the broken guards, then
# conformance/suite, which runs the program from outside: none of them alone keeps two processors busy. Each part is printed
# whole, and all of them run; if one fails, the script fails. The last lines say which MongoDB server the tests ran on and which tests were skipped because
# data outside this repository is missing. CARERECORD_SOAK=10 makes long tests ten times as long (make soak).
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
beside=
trap '[ -z "$beside" ] || kill -- "-$beside" 2>/dev/null || true; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
export CARERECORD_TEST_SERVER_FILE=$dir/server
export CARERECORD_SKIPPED_FILE=$dir/skipped # package testfiles appends to it
touch "$CARERECORD_TEST_SERVER_FILE" "$CARERECORD_SKIPPED_FILE"
scripts/browser.sh
scripts/vendors.sh
packages=$(go list ./... | grep -vE '/conformance/(suite|browser)$')
timeout=25m
[ "${CARERECORD_SOAK:-1}" = 1 ] || timeout=6h

# part NAME ARGUMENTS... runs go test. Of a package that fails it prints the whole output; of one that passes, the counts of its tests
# and those that took five seconds or more.
part() {
  local name=$1 status=0 took=$dir/took-$BASHPID TIMEFORMAT='%0R s, %0U s and %0S s of a processor in user and system mode'
  shift
  { time go test -v -timeout "$timeout" "$@" 2>&1 | tr '\r' '\n' | awk '
	{ all = all $0 "\n" }
	/_test\.go:[0-9]+: ([0-9]+ |skipped|with the race|load: |read back|.*: caught in )|random\.go:[0-9]+: / { said = said "    " $0 "\n" }
	/^ *--- (PASS|SKIP): .*\(([5-9]|[0-9][0-9]+)\.[0-9]+s\)/ { said = said $0 "\n" }
	/^(ok|FAIL|\?) *\t/ {
		printf "%s", /^FAIL/ ? all : said
		if (!/^\?/) print
		all = said = ""; fflush()
	}
	END { printf "%s", all }'; } 2>"$took" || status=1
  echo "part: $name, $(cat "$took")$([ $status = 0 ] || echo ", FAILED")"
  return $status
}

others() {
  local status=0
  GOGC=400 part "the whole law" -count=1 ./conformance/law || status=1
  part "the suite" -count=1 -parallel 4 ./conformance/suite || status=1 # last: it fills both processors
  return $status
}

# Tests in process have small heaps: at the default setting the garbage collector takes a fifth of the time.
set -m # the parallel parts are a group of processes, which the trap can end
others >"$dir/others" 2>&1 &
beside=$!
set +m
status=0
# shellcheck disable=SC2086
GOGC=200 part "with the race detector" -race $packages || status=1
part "all rounds of writers at once, and all random regions" -count=1 ./conformance/atonce ./conformance/persons || status=1
part "the pages in Chromium" -count=1 ./conformance/browser || status=1
GOGC=400 CARERECORD_WALKS=whole part "all random walks of the authorization server" -count=1 -run '^TestWalk' ./conformance/smart || status=1
wait "$beside" || status=1
beside=
cat "$dir/others"
echo "MongoDB tests ran on: $(sort -u "$CARERECORD_TEST_SERVER_FILE" | paste -sd';')"
echo "$(sort -u "$CARERECORD_SKIPPED_FILE" | wc -l) tests were skipped because ../shared, a package in .cache or Chromium is missing"
sort -u "$CARERECORD_SKIPPED_FILE" | sed 's/^/    /'
exit $status
