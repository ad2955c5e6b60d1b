#!/usr/bin/env bash
# Fails for a function that the program does not reach, unless scripts/test-doors.txt says which tests need it.
# Packages that only tests import are left out: staticcheck reports unused functions in them.
set -euo pipefail
cd "$(dirname "$0")/.."
support='^(conformance/(law|suite|fault|atonce|example|servertest|synth|testfiles|wait)|store/storetest|store/mongo/mongotest|consent/consenttest|consent/audit/audittest|fhir/r4/r4test)[ /]'
diff <(.cache/bin/deadcode ./... | sed -E 's|^([^:]*)/[^/:]*:[0-9]+:[0-9]+: unreachable func: |\1 |' | grep -vE "$support" | sort) \
  <(grep -v '^#' scripts/test-doors.txt | awk '{ print $1, $2 }' | sort) ||
  { echo "deadcode: < is not reached by the program and not in scripts/test-doors.txt, > is in it and is reached or gone"; exit 1; }
