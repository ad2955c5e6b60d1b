package persons

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"carerecord/consent/worklist"
	"carerecord/fhir"
)

// TestWorkLists: the work lists of identities name Patients, their sources and the reason, and nothing else of a person
// (IDN-107).
func TestWorkLists(t *testing.T) {
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, open(t), true)
			born := func(date string) string { return `,"birthDate":"` + date + `","name":[{"family":"Secret"}]` }
			const third, fourth = "9990000034", "9990000042"
			r.put("XPI", "Patient", "p", identifier(number)+born("1980-01-01"))
			r.put("XGP", "Patient", "p", identifier(number)+born("1980-01-01"))
			r.put("XAC", "Patient", "p", identifier(number)+born("1981-01-01")) // the index has another date
			r.put("XCO", "Patient", "p", identifier(number, second)+born("1980-01-01"))
			r.put("XGP", "Patient", "q", identifier(third)+born("1990"))
			r.put("XAC", "Patient", "q", identifier(third)+born("1990-02-02"))
			r.put("XCO", "Patient", "q", identifier(third)+born("1991-02-02")) // no index: nobody knows which is right
			r.put("XGP", "Patient", "s", identifier(fourth)+born("1990-02"))
			r.put("XGP", "Patient", "t", identifier(fourth)+born("1990-02-02"))
			r.put("XAC", "Patient", "s", identifier(fourth))
			r.put("XUN", "Patient", "s", identifier(fourth)+born("2000-01-01")) // not traced: not joined
			r.put("XUN", "Patient", "t", identifier(fourth)+born("2000-01-01"))
			r.caughtUp()
			for list, want := range map[worklist.List][]string{
				worklist.Contradicted: {
					"the patient index has another birth date for its number: Patient/xac.p XAC",
					"it has two counting numbers of one system: Patient/xco.p XCO",
				},
				worklist.Differing:  {"the birth dates of these Patients of one person differ: Patient/xac.q XAC, Patient/xco.q XCO, Patient/xgp.q XGP"},
				worklist.Duplicates: {"these Patients of one source are one person: Patient/xgp.s XGP, Patient/xgp.t XGP"},
			} {
				var got []string
				err := worklist.Walk(t.Context(), r.server.Guard, list, func() error { return nil }, func(e worklist.Entry) error {
					var patients []string
					for _, p := range e.Patients {
						patients = append(patients, p.Reference+" "+p.Source)
					}
					got = append(got, e.Reason+": "+strings.Join(patients, ", "))
					line, err := json.Marshal(e)
					for _, hidden := range []string{"99900000", "19", "Secret", "birthDate"} {
						if strings.Contains(string(line), hidden) {
							t.Errorf("%s: the entry has %q: %s", list, hidden, line)
						}
					}
					return err
				})
				slices.Sort(got)
				slices.Sort(want)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s: got %v\n%s\nwant\n%s", list, err, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

// TestWorkListPages: a walk of several pages finds each person once, also one whose Patients are on two pages (IDN-107).
func TestWorkListPages(t *testing.T) {
	r := newRegion(t, nil, false)
	persons := 0
	for n := 999_000_1000; persons < 1001; n++ { // an odd number of Patients a person: pages end within persons
		if number := strconv.Itoa(n); fhir.ValidNHSNumber(number) {
			for i := range 3 {
				r.put("XGP", "Patient", fmt.Sprintf("w%d-%d", persons, i), identifier(number))
			}
			persons++
		}
	}
	pages, entries := 0, 0
	err := worklist.Walk(t.Context(), r.server.Guard, worklist.Duplicates, func() error { pages++; return nil }, func(e worklist.Entry) error {
		if entries++; len(e.Patients) != 3 {
			t.Errorf("an entry has %d Patients, want 3", len(e.Patients))
		}
		return nil
	})
	if err != nil || pages < 3 || entries != persons {
		t.Errorf("got %v, %d pages and %d entries, want at least 3 pages and %d entries", err, pages, entries, persons)
	}
	if err := worklist.Walk(t.Context(), r.server.Guard, "likely", nil, nil); err != worklist.ErrUnknown {
		t.Errorf("an unknown list: got %v", err)
	}
}
