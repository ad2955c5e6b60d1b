#!/usr/bin/env bash
# The house rules that a machine can check.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=$(gofmt -l $(git ls-files '*.go'))
[ -z "$bad" ] || { echo "gofmt: $bad"; exit 1; }
go vet ./...
# Files for the race detector are built in its tests alone.
# shellcheck disable=SC2046
go vet -race $(grep -rl --include='*_test.go' '^//go:build race' cmd conformance consent fhir interop store | xargs -n1 dirname | sort -u | sed 's|^|./|')
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
scripts/deadcode.sh >"$tmp/deadcode" 2>&1 & # beside what follows: each uses one processor
deadcode=$!
.cache/bin/staticcheck ./...
# Every switch over an enumeration or a closed sum (//sumtype:decl) names all cases, or has a default.
.cache/bin/go-check-sumtype -default-signifies-exhaustive=false ./...
{ .cache/bin/exhaustive -d ./... 2>&1 || true; } | grep -v '_test\.go:' >"$tmp/exhaustive" || true
[ ! -s "$tmp/exhaustive" ] || { cat "$tmp/exhaustive"; exit 1; }
wait "$deadcode" || { cat "$tmp/deadcode"; exit 1; }
go mod tidy -diff
go test -run 'TestImports|TestWords|TestSplitIdentifier' ./conformance/suite
go test -run 'TestGrammar' ./fhir/index
# Each requirement of P0 and P1 has a test or is in docs/requirements/not-built.txt. The counts are printed.
go test -count=1 -run 'TestRequirementsHaveTests' -v ./conformance/suite | sed -n 's/^ *requirements_test.go:[0-9]*: //p'
out=$tmp/generated
mkdir "$out"
go run ./cmd/fhirgen -package .cache/hl7.fhir.r4.examples-4.0.1.tgz -out "$out"
for f in "$out"/*/*; do
  cmp "$f" "fhir/${f#"$out"/}" || { echo "generated file is stale: make generate"; exit 1; }
done
scripts/pages.sh check
size=$(cat fhir/*/*_gen.* | wc -c)
[ "$size" -lt 2097152 ] || { echo "generated tables are $size bytes, over 2 MiB"; exit 1; }
! git grep -n 'time[.]Sleep' -- '*_test.go' '*test/*.go' conformance || { echo "a test sleeps: wait for a condition (conformance/wait)"; exit 1; }
echo "check: all well"
