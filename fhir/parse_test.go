package fhir_test

import (
	"strings"
	"testing"
	"time"

	"carerecord/fhir"
)

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, body, code, place string }{
		{"REST-080 duplicate property", `{"resourceType":"Patient","active":true,"active":false}`, "structure", "Patient.active"},
		{"REST-080 duplicate after unescaping", `{"resourceType":"Patient","active":true,"\u0061ctive":false}`, "structure", "Patient.active"},
		{"REST-080 trailing data", `{"resourceType":"Patient"} {}`, "structure", ""},
		{"REST-080 trailing garbage", `{"resourceType":"Patient"}x`, "structure", ""},
		{"REST-080 leading zero", `{"resourceType":"Patient","multipleBirthInteger":01}`, "structure", "Patient.multipleBirthInteger"},
		{"REST-080 NaN", `{"resourceType":"Patient","multipleBirthInteger":NaN}`, "structure", "Patient.multipleBirthInteger"},
		{"REST-080 single quotes", `{'resourceType':'Patient'}`, "structure", ""},
		{"REST-080 comment", `{"resourceType":"Patient"/*x*/}`, "structure", ""},
		{"REST-081 bad UTF-8", "{\"resourceType\":\"Patient\",\"x\":\"\xff\"}", "structure", "Patient.x"},
		{"REST-081 lone surrogate", `{"resourceType":"Patient","x":"\ud800"}`, "value", "Patient.x"},
		{"REST-081 U+0000", `{"resourceType":"Patient","x":"a\u0000b"}`, "value", "Patient.x"},
		{"REST-083 null", `{"resourceType":"Patient","x":null}`, "structure", "Patient.x"},
		{"REST-083 empty object", `{"resourceType":"Patient","name":[{}]}`, "structure", "Patient.name[0]"},
		{"REST-083 empty array", `{"resourceType":"Patient","name":[]}`, "structure", "Patient.name"},
		{"REST-083 empty string", `{"resourceType":"Patient","name":[{"given":["A",""]}]}`, "structure", "Patient.name[0].given[1]"},
		{"REST-093 depth", `{"resourceType":"Patient","x":` + strings.Repeat(`{"x":`, 120) + `1` + strings.Repeat(`}`, 120) + `}`, "structure", ""},
		{"no type", `{"id":"1"}`, "structure", "resourceType"},
		{"not an object", `[1]`, "structure", ""},
		{"nothing", ``, "structure", ""},
		{"bad id", `{"resourceType":"Patient","id":"a b"}`, "value", "Patient.id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := fhir.Parse([]byte(c.body))
			e, ok := fhir.AsError(err)
			if !ok {
				t.Fatalf("got %v, want a refusal", err)
			}
			got := e.Issues[len(e.Issues)-1]
			if e.Status != 400 || got.Code != c.code || (c.place != "" && got.Expression != c.place) {
				t.Errorf("got %d %s at %q (%s), want 400 %s at %q", e.Status, got.Code, got.Expression, got.Text, c.code, c.place)
			}
		})
	}
}

func TestParseReportsAllFaultsOfABody(t *testing.T) {
	_, err := fhir.Parse([]byte(`{"resourceType":"Patient","a":"","b":null,"c":{},"d":[]}`))
	e, ok := fhir.AsError(err)
	if !ok || len(e.Issues) != 4 {
		t.Fatalf("REST-003: got %v, want four issues", err)
	}
}

func TestStampKeepsTokens(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 5e6, time.UTC)
	for _, c := range []struct{ name, in, want string }{
		{"REST-100 the server's version and instant", `{"resourceType":"Patient","id":"x","meta":{"versionId":"9","lastUpdated":"2000-01-01T00:00:00Z","tag":[{"code":"a"}]},"active":true}`,
			`{"resourceType":"Patient","id":"1","meta":{"versionId":"3","lastUpdated":"2026-03-01T10:00:00.005Z","tag":[{"code":"a"}]},"active":true}`},
		{"no id, no meta", `{"resourceType":"Patient","active":true}`,
			`{"resourceType":"Patient","id":"1","meta":{"versionId":"3","lastUpdated":"2026-03-01T10:00:00.005Z"},"active":true}`},
		{"REST-088 resourceType last", `{"active":true,"resourceType":"Patient"}`,
			`{"active":true,"resourceType":"Patient","id":"1","meta":{"versionId":"3","lastUpdated":"2026-03-01T10:00:00.005Z"}}`},
		{"REST-090 number text", `{"resourceType":"Observation","id":"x","valueQuantity":{"value":1.00},"component":[{"x":1e3}]}`,
			`{"resourceType":"Observation","id":"1","meta":{"versionId":"3","lastUpdated":"2026-03-01T10:00:00.005Z"},"valueQuantity":{"value":1.00},"component":[{"x":1e3}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := fhir.Parse([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(fhir.Stamp(r.Body, "1", 3, at)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestMergeMeta(t *testing.T) {
	const old = `{"resourceType":"Patient","meta":{"security":[{"system":"s","code":"R"}],"tag":[{"code":"a"},{"code":"b"}]}}`
	for _, c := range []struct{ name, in, want string }{
		{"REST-101 a label survives a PUT without it", `{"resourceType":"Patient","active":true}`,
			`{"resourceType":"Patient","active":true,"meta":{"security":[{"system":"s","code":"R"}],"tag":[{"code":"a"},{"code":"b"}]}}`},
		{"REST-101 doubles collapse", `{"resourceType":"Patient","meta":{"tag":[{"code":"b","display":"x"}]}}`,
			`{"resourceType":"Patient","meta":{"tag":[{"code":"b","display":"x"},{"code":"a"}],"security":[{"system":"s","code":"R"}]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(fhir.MergeMeta([]byte(c.in), []byte(old))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := fhir.Parse(body)
		if err != nil {
			return
		}
		again, err := fhir.Parse(fhir.Stamp(r.Body, "a", 1, time.Unix(0, 0)))
		if err != nil || again.ID != "a" || again.Type != r.Type {
			t.Fatalf("got %v %v after stamping %q", again, err, body)
		}
	})
}
