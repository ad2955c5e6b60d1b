package search_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/search"
)

const base = "http://record.test/fhir"

func indexer(t testing.TB) *index.Indexer {
	t.Helper()
	x, err := index.New(index.Config{Base: base})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// planned plans a query of one type, written as "Type?query".
func planned(t *testing.T, x *index.Indexer, text string, opt search.Options) (*search.Query, error) {
	t.Helper()
	typ, query, _ := strings.Cut(text, "?")
	params, err := search.ParseQuery(query)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	opt.Limits = search.DefaultLimits()
	return search.New(x, []string{typ}, params, opt)
}

// refused holds an error against a status and a code.
func refused(err error, status int, code string) error {
	var e *fhir.Error
	if !errors.As(err, &e) || e.Status != status || e.Issues[0].Code != code {
		return fmt.Errorf("got %v, want %d %s", err, status, code)
	}
	return nil
}

// TestNames: which searches name one patient (consent.md section 1). It decides
// whose wishes are asked and who hears of them (CON-1702).
func TestNames(t *testing.T) {
	x := indexer(t)
	where := func(value string) consent.NamedPatient {
		p, err := x.Predicate(index.Query{Type: "Patient", Name: "identifier", Values: []string{value}})
		if err != nil {
			t.Fatal(err)
		}
		n := consent.NamedPatient{Where: p}
		if system, value, both := strings.Cut(value, "|"); both {
			n.System, n.Value = system, value
		}
		return n
	}
	one := consent.NamedPatient{ID: "1"}
	const nhs = "https://fhir.nhs.uk/Id/nhs-number"
	for query, want := range map[string]consent.NamedPatient{
		"Observation?patient=1":                               one,
		"Observation?patient=Patient/1":                       one,
		"Observation?patient=" + base + "/Patient/1":          one,
		"Observation?subject=Patient/1":                       one,
		"Observation?subject:Patient=1":                       one,
		"Observation?patient=1&code=a&_sort=date&_count=2":    one,
		"Observation?patient:identifier=" + nhs + "|1":        where(nhs + "|1"),
		"Observation?subject:identifier=" + nhs + "|1":        where(nhs + "|1"),
		"Patient?_id=1":                                       one,
		"Patient?identifier=" + nhs + "|1":                    where(nhs + "|1"),
		"Observation?subject=1":                               {}, // of whatever type
		"Observation?subject=Group/1":                         {},
		"Observation?subject:Group=1":                         {},
		"Observation?patient=1,2":                             {},
		"Observation?patient=1&patient=2":                     {},
		"Observation?patient=1&subject=Patient/1":             {}, // two parameters, even of one patient
		"Observation?patient=http://elsewhere/fhir/Patient/1": {},
		"Observation?patient:identifier=http://other|1":       {}, // no NHS number
		"Observation?patient:identifier=" + nhs + "|":         {},
		"Observation?patient:missing=false":                   {},
		"Observation?performer=Patient/1":                     {}, // takes part only
		"Observation?_id=1":                                   {},
		"Patient?_id=1,2":                                     {},
		"Patient?name=ely":                                    {},
		"Patient?identifier:not=" + nhs + "|1":                {},

		// Of an identifier the value is what identifies.
		"Patient?identifier=1":                                        where("1"),
		"Patient?identifier=http://local|1":                           where("http://local|1"),
		"Patient?identifier=" + nhs + "|":                             {},
		"Patient?identifier=http://local|":                            {},
		"Patient?identifier=|1":                                       {}, // of no system: of anybody
		"Patient?identifier=" + nhs + "|1," + nhs + "|2":              {},
		"Patient?identifier=" + nhs + "|1," + nhs + "|":               {},
		"Patient?identifier=" + nhs + "|1&identifier=2":               {},
		"Patient?identifier=" + nhs + "|&_id=1":                       one, // the system alone is a filter
		"Patient?identifier:of-type=http://t|MR|1":                    {},
		"Patient?identifier:text=1":                                   {},
		"Patient?identifier:missing=false":                            {},
		"Patient?identifier=" + nhs + "|1&family=ely":                 where(nhs + "|1"),
		"Patient?identifier=" + nhs + "|1,":                           where(nhs + "|1"), // an empty member is none
		"Observation?identifier=" + nhs + "|1":                        {},
		"Observation?patient.identifier=" + nhs + "|1":                where(nhs + "|1"),
		"Observation?subject:Patient.identifier=" + nhs + "|1":        where(nhs + "|1"),
		"Observation?patient.identifier=" + nhs + "|":                 {},
		"Observation?patient.identifier=1":                            {}, // an NHS number has its system
		"Observation?patient.identifier=http://local|1":               {},
		"Observation?patient.identifier=|1":                           {},
		"Observation?patient.identifier=" + nhs + "|1," + nhs + "|2":  {},
		"Observation?patient.identifier=" + nhs + "|1,http://local|2": {},
		"Observation?patient.identifier:not=" + nhs + "|1":            {},
		"Observation?patient.identifier=" + nhs + "|1&patient=1":      {},
		"Observation?patient.link:Patient.identifier=" + nhs + "|1":   {},
		"Observation?performer:Patient.identifier=" + nhs + "|1":      {},
		"Observation?patient:identifier=1":                            {},
		"Observation?patient:identifier=|1":                           {},
		"Observation?patient:identifier=" + nhs + "|1," + nhs + "|2":  {},
		"Observation?patient.name=ely":                                {},
		"Observation?_has:Provenance:target:patient=1":                {},

		// Exactly one value of patient and subject together.
		"Observation?patient=1,":                                one,
		"Observation?patient=1&patient=2,3":                     {},
		"Observation?patient=1&subject=Group/1":                 {},
		"Observation?patient=1&subject=Patient/1,":              {},
		"Observation?patient=1&patient:missing=false":           one,
		"Observation?patient=1&patient.gender=male":             one,
		"Observation?patient=Patient/1/_history/2":              one,
		"Observation?patient=Practitioner/1":                    {},
		"Observation?subject:Patient=1,2":                       {},
		"Patient?_id=1,":                                        one,
		"Patient?_id=1&_id=2,3":                                 one, // the second is a filter
		"Patient?_id=1&_id=2":                                   {},
		"Patient?_id=1&identifier=" + nhs + "|1":                {},
		"Patient?_id=|1":                                        {},
		"Patient?_id:missing=false":                             {},
		"Patient?link=Patient/1":                                {},
		"Condition?_filter=patient%20eq%20Patient/1":            {},
		"Encounter?patient=1&_revinclude=Observation:encounter": one,
	} {
		plan, err := planned(t, x, query, search.Options{})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if diff := cmp.Diff(want, plan.Named); diff != "" {
			t.Errorf("CON-1702: %s names another patient (-want +got):\n%s", query, diff)
		}
	}
}

// TestRefusedQueries: what would be ignored at the requester's cost is refused.
func TestRefusedQueries(t *testing.T) {
	x := indexer(t)
	for _, c := range []struct{ number, query, code string }{
		{"SRCH-009", "Patient?name:foo=x", "not-supported"},
		{"SRCH-009", "Patient?gender:exact=male", "not-supported"},
		{"SRCH-009", "Patient?birthdate:contains=2000", "not-supported"},
		{"SRCH-009", "Observation?subject:Nothing=1", "not-supported"},
		{"SRCH-009", "Observation?_count:exact=1", "not-supported"},
		{"SRCH-200", "Observation?_count=-1", "value"},
		{"SRCH-200", "Observation?_count=x", "value"},
		{"SRCH-211", "Observation?_total=some", "value"},
		{"SRCH-190", "Observation?_sort=date&_sort=code", "invalid"},
		{"SRCH-190", "Observation?_sort=date,-date", "invalid"},
		{"SRCH-220", "Observation?_summary=some", "value"},
		{"SRCH-222", "Observation?_summary=true&_elements=code", "invalid"},
		{"SRCH-222", "Observation?_summary=text&_include=Observation:subject", "invalid"},
		{"SRCH-170", "Observation?_include=Observation", "value"},
		{"SRCH-170", "Observation?_include=Observation:code", "not-supported"},
		{"SRCH-170", "Observation?_include=Observation:subject:Nothing", "value"},
		{"SRCH-151", "Observation?_type=Patient", "not-supported"},
		{"LIM-001", "Observation?code=" + strings.Repeat("a,", 1001), "too-costly"},
		{"SRCH-060", "Observation?date=yesterday", "value"},
	} {
		_, err := planned(t, x, c.query, search.Options{})
		if err := refused(err, 400, c.code); err != nil {
			t.Errorf("%s: %.80s: %v", c.number, c.query, err)
		}
	}
	if _, err := search.ParseQuery(strings.Repeat("a=b&", 201)); refused(err, 400, "too-costly") != nil {
		t.Errorf("LIM-001: 201 parameters: got %v", err)
	}
	for _, raw := range []string{"a=%zz", "a=%ff", "%c3=x"} {
		if _, err := search.ParseQuery(raw); refused(err, 400, "value") != nil {
			t.Errorf("REST-017: %s: got %v", raw, err)
		}
	}
}

// TestUnknownNames: a name that the standard does not have is ignored with a
// word, and not shown in self (SRCH-007); strict handling, criteria and searches of
// several types refuse it (SRCH-008, 011, 151).
func TestUnknownNames(t *testing.T) {
	x := indexer(t)
	const query = "Patient?nonsense=1&name=ely&_sort=nonsense,-birthdate&_elements=nonsense,name"
	plan, err := planned(t, x, query, search.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	for _, p := range plan.Used {
		used = append(used, p.String())
	}
	if got, want := strings.Join(used, "&"), "name=ely&_sort=-birthdate&_elements=name"; got != want || len(plan.Warnings) != 3 {
		t.Errorf("SRCH-007: got %q with %d warnings, want %q with 3", got, len(plan.Warnings), want)
	}
	for number, opt := range map[string]search.Options{"SRCH-008": {Strict: true}, "SRCH-011": {Criteria: true}, "SRCH-151": {System: true}} {
		if _, err := planned(t, x, "Patient?nonsense=1&name=ely", opt); refused(err, 400, "not-supported") != nil {
			t.Errorf("%s: got %v, want 400 not-supported", number, err)
		}
	}
}

// TestClaims: the equalities of criteria that a conditional write can claim
// (REST-126): one value that is one key, and no other.
func TestClaims(t *testing.T) {
	x := indexer(t)
	for query, want := range map[string]int{
		"Patient?identifier=s|1":             1,
		"Patient?_id=1":                      1,
		"Observation?subject=Patient/1":      1,
		"ValueSet?url=http://v":              1,
		"Patient?identifier=s|1&gender=male": 2,
		"Patient?identifier=s|1&name=ely":    1,
		"Patient?identifier=s|1,s|2":         0,
		"Patient?identifier=s|":              0, // a whole system
		"Patient?identifier:not=s|1":         0,
		"Patient?name=ely":                   0,
		"Patient?name:exact=Ely":             0,
		"Patient?birthdate=2000-01-01":       0,
		"Patient?identifier:missing=false":   0,
		"ValueSet?url:below=http://v":        0,
		"ValueSet?url:above=http://v/w":      0,
	} {
		plan, err := planned(t, x, query, search.Options{Criteria: true})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if len(plan.Claims) != want {
			t.Errorf("REST-126: %s: got the claims %q, want %d", query, plan.Claims, want)
		}
		for _, key := range plan.Claims {
			if !key.Driving() {
				t.Errorf("REST-126: %s: the claim %q does not drive", query, key)
			}
		}
	}
	for query, code := range map[string]string{"Patient?": "required", "Patient?_count=1": "not-supported", "Patient?identifier=s|1&_sort=name": "not-supported"} {
		if _, err := planned(t, x, query, search.Options{Criteria: true}); refused(err, 400, code) != nil {
			t.Errorf("SRCH-011: %s as criteria: got %v, want 400 %s", query, err, code)
		}
	}
}
