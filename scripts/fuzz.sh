#!/usr/bin/env bash
# Runs every fuzz target for some seconds (FUZZ_SECONDS, 5 if it is not set). An
# input that fails is kept under the testdata of its package.
set -euo pipefail
cd "$(dirname "$0")/.."
n=0
while IFS=: read -r file _ line; do
  name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
  echo "fuzz: $(dirname "$file") $name"
  go test -run xxx -fuzz "^$name\$" -fuzztime "${FUZZ_SECONDS:-5}s" "./$(dirname "$file")" | tail -n 2
  n=$((n + 1))
done < <(git grep -n '^func Fuzz' -- '*_test.go')
echo "fuzz: $n targets, ${FUZZ_SECONDS:-5} s each"
