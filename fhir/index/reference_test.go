package index_test

import (
	"errors"
	"fmt"
	"testing"

	"carerecord/fhir/index"
)

func TestReferencesForIncludes(t *testing.T) {
	x := newIndexer(t)
	body := []byte(`{"resourceType":"Observation","subject":{"reference":"Group/1"},"performer":[{"reference":"Practitioner/2"},{"reference":"http://other/Patient/3"},{"reference":"http://h/fhir/Patient/4/_history/5"},{"reference":"#c"},{"display":"x"},{"reference":"Practitioner/2"}]}`)
	for _, c := range []struct{ name, want string }{
		{"performer", "[Practitioner/2 Patient/4/_history/5 Practitioner/2]"},
		{"subject", "[Group/1]"},
		{"patient", "[]"}, // SRCH-104
	} {
		got, err := x.References("Observation", c.name, body)
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("SRCH-170 %s: got %v, %v, want %s", c.name, got, err, c.want)
		}
	}
	for name, code := range map[string]string{"code": "not-supported", "nope": "not-found"} {
		_, err := x.References("Observation", name, body)
		var e *index.Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: got %v, want %s", name, err, code)
		}
	}
}
