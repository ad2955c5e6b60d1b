#!/usr/bin/env bash
# The house rules that a machine can check.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=$(gofmt -l $(git ls-files '*.go'))
[ -z "$bad" ] || { echo "gofmt: $bad"; exit 1; }
go vet ./...
.cache/bin/staticcheck ./...
go mod tidy -diff
go test -run 'TestImports' ./conformance/suite
go test -run 'TestGrammar' ./fhir/index
# Each requirement of P0 and P1 has a test or is in docs/requirements/not-built.txt. The counts are printed.
go test -count=1 -run 'TestRequirementsHaveTests' -v ./conformance/suite | sed -n 's/^ *requirements_test.go:[0-9]*: //p'
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
go run ./cmd/fhirgen -package .cache/hl7.fhir.r4.examples-4.0.1.tgz -out "$out"
for f in "$out"/*/*; do
  cmp "$f" "fhir/${f#"$out"/}" || { echo "generated file is stale: make generate"; exit 1; }
done
size=$(cat fhir/*/*_gen.* | wc -c)
[ "$size" -lt 2097152 ] || { echo "generated tables are $size bytes, over 2 MiB"; exit 1; }
! git grep -n 'time[.]Sleep' -- '*_test.go' '*test/*.go' conformance || { echo "a test sleeps: wait for a condition (conformance/wait)"; exit 1; }
echo "check: all well"
