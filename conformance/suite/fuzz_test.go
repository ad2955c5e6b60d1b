package suite

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"carerecord/fhir/r4"
)

// fuzzedTypes are the resource types that the fuzzer uses.
var fuzzedTypes = []string{"Patient", "Observation", "Encounter", "Condition", "MedicationRequest", "DocumentReference"}

// TestFuzzedServer: no request that Schemathesis generates from a description of six types is answered 500 or
// blocks the server, and the body of every error is an OperationOutcome (REST-005, LIM-005). The environment
// variable CARERECORD_FUZZ_SECONDS is the duration, 30 by default.
func TestFuzzedServer(t *testing.T) {
	t.Parallel()
	seconds := 30
	if text := os.Getenv("CARERECORD_FUZZ_SECONDS"); text != "" {
		var err error
		if seconds, err = strconv.Atoi(text); err != nil || seconds < 1 {
			t.Fatalf("CARERECORD_FUZZ_SECONDS must be a whole number of seconds, not %q", text)
		}
	}
	out, err := exec.Command("../../scripts/schemathesis.sh").Output()
	if err != nil {
		t.Fatalf("install the fuzzer: %v", err)
	}
	s := onPebble(t).start("--auth", "off")
	wantStatus(t, "create", s.do("", "PUT", "Patient/a", `{"resourceType":"Patient","id":"a","name":[{"family":"Ely"}]}`), 201, "")
	dir := t.TempDir()
	file := filepath.Join(dir, "openapi.json")
	text, err := json.Marshal(openAPI(s.base))
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	needed := []string{"create 2xx", "update 2xx", "search 2xx", "read 2xx"}
	began := time.Now()
	for run := 1; ; run++ { // a busy machine needs several runs
		cmd := exec.Command(strings.TrimSpace(string(out)), "run", file, "--url", s.base, "--no-color", "--max-time", strconv.Itoa(seconds), "--continue-on-failure",
			"--checks", "not_a_server_error,response_schema_conformance,content_type_conformance", "--request-timeout", "15", "--phases", "examples,coverage,fuzzing,stateful",
			"--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off", "--no-shrink", "--max-failures", "20")
		cmd.Dir = dir
		report, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("REST-005: %v\n%s", err, tail(string(report), 12_000))
			break
		}
		requests, counts := s.loggedRequests()
		t.Logf("%d requests in %s: %v", requests, time.Since(began).Round(time.Second), counts)
		missing := slices.IndexFunc(needed, func(kind string) bool { return counts[kind] == 0 })
		if missing < 0 && requests >= 20*seconds {
			break
		}
		if run == 5 {
			t.Errorf("the fuzzer made %d requests, want at least %d, with at least one of each of %v: got %v\n%s", requests, 20*seconds, needed, counts, tail(string(report), 4000))
			break
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^.*msg="request failed".*$`).FindAllString(s.output.String(), 5) {
		t.Errorf("REST-005: %s", line)
	}
	wantStatus(t, "the server still answers", s.get("", "metadata"), 200, "")
}

// loggedRequests counts the requests in the log of the server, in all and by interaction and status.
func (s *server) loggedRequests() (all int, counts map[string]int) {
	log := s.output.String()
	counts = map[string]int{}
	for _, m := range regexp.MustCompile(`msg=request interaction=(\S+) type=\S+ status=(\d)`).FindAllStringSubmatch(log, -1) {
		counts[m[1]+" "+m[2]+"xx"]++
	}
	return strings.Count(log, "msg=request"), counts
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

type object = map[string]any

// openAPI returns a description of reads, writes, searches, histories and bundles of fuzzedTypes.
func openAPI(base string) object {
	paths := object{"/": object{"post": operation(nil, object{"type": "object", "required": []string{"resourceType", "type", "entry"}, "properties": object{
		"resourceType": object{"const": "Bundle"}, "type": object{"enum": []string{"batch", "transaction"}},
		"entry": object{"type": "array", "maxItems": 4, "items": object{"type": "object", "properties": object{
			"resource": resource("Patient"), "request": object{"type": "object", "properties": object{
				"method": object{"enum": []string{"GET", "PUT", "POST", "DELETE", "PATCH"}}, "url": object{"type": "string"}, "ifMatch": object{"type": "string"}}}}}}}})}}
	id := parameter("path", "id", object{"anyOf": []object{{"enum": []string{"a", "b"}}, {"type": "string", "pattern": `^[A-Za-z0-9.\-]{1,64}$`}}, "example": "a"})
	match := parameter("header", "If-Match", object{"type": "string"})
	prefer := parameter("header", "Prefer", object{"type": "string"})
	for _, typ := range fuzzedTypes {
		search := []object{parameter("query", "_sort", object{"type": "string"}), parameter("query", "_count", object{"type": "string"}), parameter("query", "_summary", object{"type": "string"}), prefer}
		for _, p := range r4.SearchParams(typ) {
			search = append(search, parameter("query", p.Code, object{"type": "string"}))
		}
		patch := object{"type": "array", "items": object{"type": "object", "properties": object{
			"op": object{"enum": []string{"add", "remove", "replace", "move", "copy", "test"}}, "path": object{"type": "string"}, "from": object{"type": "string"}, "value": object{}}}}
		patched := operation([]object{id, match}, nil)
		patched["requestBody"] = body("application/json-patch+json", patch)
		paths["/"+typ] = object{"get": operation(search, nil), "post": operation([]object{prefer}, resource(typ)), "put": operation(search[:1], resource(typ))}
		paths["/"+typ+"/{id}"] = object{"get": operation([]object{id, parameter("query", "_elements", object{"type": "string"}), parameter("header", "If-None-Match", object{"type": "string"})}, nil),
			"put": operation([]object{id, match, prefer}, resource(typ)), "delete": operation([]object{id}, nil), "patch": patched}
		paths["/"+typ+"/{id}/_history"] = object{"get": operation([]object{id, parameter("query", "_since", object{"type": "string"}), parameter("query", "_at", object{"type": "string"})}, nil)}
		paths["/"+typ+"/$validate"] = object{"post": operation(nil, resource(typ))}
	}
	return object{"openapi": "3.1.0", "info": object{"title": "carerecord", "version": "test"}, "servers": []object{{"url": base}}, "paths": paths}
}

func parameter(in, name string, schema object) object {
	return object{"in": in, "name": name, "required": in == "path", "schema": schema}
}

func body(mediaType string, schema object) object {
	return object{"required": true, "content": object{mediaType: object{"schema": schema}}}
}

// operation describes an operation whose answers have any body below 400, and an OperationOutcome from 400 on.
func operation(parameters []object, sent object) object {
	text := object{"type": "string"}
	only := func(properties object, required ...string) object {
		return object{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
	}
	outcome := only(object{"resourceType": object{"const": "OperationOutcome"}, "issue": object{"type": "array", "minItems": 1, "items": only(object{
		"severity": text, "code": text, "diagnostics": text, "expression": object{"type": "array", "items": text}, "details": only(object{"text": text, "coding": object{"type": "array"}})}, "severity", "code")}},
		"resourceType", "issue")
	failed := object{"description": "refused", "content": object{"application/fhir+json": object{"schema": outcome}}}
	o := object{"parameters": parameters, "responses": object{"200": object{"description": "done"}, "201": object{"description": "made"}, "204": object{"description": "gone"},
		"304": object{"description": "unchanged"}, "4XX": failed, "5XX": failed}}
	if parameters == nil {
		o["parameters"] = []object{}
	}
	if sent != nil {
		o["requestBody"] = body("application/fhir+json", sent)
	}
	return o
}

// resource returns the schema of a type, with its mandatory elements and elements that many types have.
func resource(typ string) object {
	word := object{"type": "string", "pattern": "^[A-Za-z0-9]{1,20}$"}
	list := func(of object) object { return object{"type": "array", "minItems": 1, "items": of} }
	of := func(required string, properties object) object {
		return object{"type": "object", "properties": properties, "required": []string{required}, "additionalProperties": false}
	}
	one := func(codes ...string) object { return object{"enum": codes} }
	coded := of("text", object{"coding": list(of("code", object{"system": object{"const": "http://loinc.org"}, "code": word})), "text": word})
	patient := of("reference", object{"reference": one("Patient/a", "Patient/b")})
	needs := map[string]object{
		"Patient":           {"gender": one("male", "female"), "birthDate": one("1970", "1970-02", "1970-02-28", "1970-02-30")},
		"Observation":       {"status": one("final", "amended"), "code": coded},
		"Encounter":         {"status": one("finished", "planned"), "class": of("code", object{"code": word})},
		"Condition":         {"subject": patient},
		"MedicationRequest": {"status": one("active"), "intent": one("order"), "subject": patient, "medicationCodeableConcept": coded},
		"DocumentReference": {"status": one("current"), "content": list(of("attachment", object{"attachment": of("url", object{"url": object{"const": "http://example.org/a"}})}))},
	}[typ]
	required := []string{"resourceType", "id"}
	properties := object{"resourceType": object{"const": typ}, "id": one("a", "b"), "meta": of("tag", object{"tag": list(of("code", object{"code": word}))}),
		"identifier": list(of("value", object{"system": object{"const": "http://example.org/id"}, "value": word})),
		"extension":  list(of("url", object{"url": object{"const": "http://example.org/x"}, "valueString": word}))}
	for name, schema := range needs {
		properties[name] = schema
		required = append(required, name)
	}
	return object{"type": "object", "required": required, "properties": properties, "additionalProperties": false}
}
