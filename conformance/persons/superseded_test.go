package persons

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/consent/facts"
	"carerecord/consent/worklist"
	"carerecord/fhir"
	"carerecord/fhir/index"
)

// linkTo is the member link of a Patient of the patient index.
func linkTo(typ, id string) string {
	return `,"link":[{"type":"` + typ + `","other":{"reference":"Patient/` + id + `"}}]`
}

// twoNumbers stores Patients of one human being under two numbers: those of the practice and of the community under the first,
// those of the hospital and of social care under the second; a Patient with both; a row by each number alone; and the patient
// index's Patients of both, without a link. It returns the ids of the sources' Patients by number, with the one of both last.
func (r *region) twoNumbers() (first, last []string) {
	r.put("XCO", "Observation", "n", observation("3")+byNumber(number))
	r.put("XSC", "Observation", "n", observation("3")+byNumber(second))
	for _, ods := range []string{"XGP", "XCO", "XAC", "XSC"} {
		of, family := number, "Old"
		if ods == "XAC" || ods == "XSC" {
			of, family = second, "New"
		}
		r.put(ods, "Patient", "p", identifier(of)+`,"name":[{"family":"`+family+`"}]`)
		r.put(ods, "Observation", "o", observation("1")+about(strings.ToLower(ods)+".p"))
	}
	r.put("XMH", "Patient", "p", identifier(number, second)+`,"name":[{"family":"Both"}]`)
	r.put("XMH", "Observation", "o", observation("1")+about("xmh.p"))
	r.put("XGP", "Encounter", "e", `,"status":"finished","class":{"code":"AMB"}`+about("xgp.p"))
	r.put("XPI", "Patient", "1", identifier(number))
	r.put("XPI", "Patient", "2", identifier(second))
	r.put("XGP", "Patient", "q", identifier("9990000034")+`,"name":[{"family":"Old"}]`) // somebody else
	r.put("XGP", "Observation", "q", observation("1")+about("xgp.q"))
	r.caughtUp()
	return []string{"xgp.p", "xco.p", "xpi.1"}, []string{"xac.p", "xsc.p", "xpi.2"}
}

// answers returns what staff are answered to searches of all kinds, by the search.
func (r *region) answers(patients []string) map[string]string {
	out := map[string]string{}
	paths := []string{"Patient?_count=2", "Patient?family=Old", "Patient?family=New&_count=1", "Patient?_sort=-family", "Patient?_has:Encounter:patient:status=finished", "Patient?_has:Observation:patient:code=3&_count=1",
		"Observation?patient.family=Old", "Observation?patient.family=New&_count=2", "Observation?patient.family=Both", "Observation?subject:Patient.family=Old,New&_count=3",
		"Patient?family=New&_revinclude=Encounter:patient", "Observation?_include=Observation:patient&_count=3", "Observation?_count=4", "Encounter?patient.family=New",
		"Observation?patient:identifier=" + nhs + "|" + number, "Observation?patient:identifier=" + nhs + "|" + second, "Patient?identifier=" + nhs + "|" + number}
	for _, id := range patients {
		paths = append(paths, "Observation?patient="+id+"&_count=2", "Patient/"+id+"/Observation", "Patient/"+id+"/$everything", "Encounter?patient="+id, "Patient?_id="+id,
			"Observation/$lastn?patient="+id+"&code=http://loinc.org|1", "Observation?_filter=patient%20eq%20Patient/"+id, "Patient/"+id+"/$sources")
	}
	for _, path := range paths {
		out[path] = strings.Join(r.rows("staff XGP", path, strings.Contains(path, "include")), " ")
	}
	for _, path := range []string{"Patient?_total=accurate&_count=1", "Patient?_summary=count", "Patient?family=New&_summary=count"} {
		_, body := r.send("staff XGP", http.MethodGet, path, "")
		out[path] = gjson.Get(body, "total").Raw
	}
	return out
}

// TestSuperseded: two numbers of which the patient index says that one supersedes the other are one person: the rows are found
// under each Patient and under each number (IDN-134), a Patient with both is one of them (IDN-105), and all is as before when
// the index withdraws it.
func TestSuperseded(t *testing.T) {
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, open(t), true)
			first, last := r.twoNumbers()
			patients := append(append(slices.Clone(first), last...), "xmh.p")
			slices.Sort(patients)
			before := r.answers(append(slices.Clone(first), last...))
			r.put("XPI", "Patient", "1", identifier(number)+linkTo("replaced-by", "xpi.2"))
			r.caughtUp()
			check := func(path string, want ...string) {
				t.Helper()
				slices.Sort(want)
				if got := r.rows("staff XGP", path, strings.Contains(path, "include")); !slices.Equal(got, want) {
					t.Errorf("GET %s:\ngot  %s\nwant %s", path, sprint(got), sprint(want))
				}
			}
			var observations []string
			for _, id := range []string{"xgp.o", "xco.o", "xac.o", "xsc.o", "xmh.o", "xco.n", "xsc.n"} {
				observations = append(observations, "Observation/"+id)
			}
			everything := append(slices.Clone(observations), "Encounter/xgp.e")
			for _, id := range patients {
				everything = append(everything, "Patient/"+id)
			}
			for _, id := range patients {
				check("Observation?patient="+id+"&_count=2", observations...)
				check("Patient/"+id+"/Observation", observations...)
				check("Observation?_filter=patient%20eq%20Patient/"+id, observations...)
				check("Patient/"+id+"/$everything", everything...)
				check("Encounter?patient="+id, "Encounter/xgp.e")
				check("Patient?_id="+id, "Patient/"+id)
				if got := len(r.rows("staff XGP", "Observation/$lastn?patient="+id+"&code=http://loinc.org|1&max=9", false)); got != 5 {
					t.Errorf("$lastn of %s: got %d rows, want 5", id, got)
				}
				// Best first: the patient index, of it the surviving number; then GP, acute and so on (IDN-122).
				_, body := r.send("staff XGP", http.MethodGet, "Patient/"+id+"/$sources", "")
				if got := strings.Join(entries(body), " "); got != "Patient/xpi.2 XPI Patient/xpi.1 XPI Patient/xgp.p XGP Patient/xac.p XAC Patient/xco.p XCO Patient/xmh.p XMH Patient/xsc.p XSC" {
					t.Errorf("$sources of %s: got %s", id, got)
				}
			}
			for _, value := range []string{number, second} {
				check("Observation?patient:identifier="+nhs+"|"+value, observations...)
			}
			check("Observation?patient.family=New&_count=2", observations...)
			check("Observation?patient.family=Both", observations...)
			check("Observation?patient.family=Old&_count=2", append(slices.Clone(observations), "Observation/xgp.q")...)
			check("Encounter?patient.family=New", "Encounter/xgp.e")
			// Each person once, the best of those that match.
			check("Patient?_count=1", "Patient/xpi.2", "Patient/xgp.q")
			check("Patient?family=New", "Patient/xac.p")
			check("Patient?family=Old,New&_count=1", "Patient/xgp.p", "Patient/xgp.q")
			check("Patient?identifier="+nhs+"|"+number, "Patient/xpi.1")
			check("Patient?_has:Encounter:patient:status=finished&_count=1", "Patient/xpi.2")
			check("Patient?family=New&_has:Encounter:patient:status=finished", "Patient/xac.p")
			check("Patient?family=New&_revinclude=Encounter:patient", "Patient/xac.p", "Encounter/xgp.e")
			for path, want := range map[string]int64{"Patient?_total=accurate&_count=1": 2, "Patient?_summary=count": 2, "Observation?patient=xco.p&_summary=count": 7} {
				_, body := r.send("staff XGP", http.MethodGet, path, "")
				if got := gjson.Get(body, "total").Int(); got != want {
					t.Errorf("GET %s: total %d, want %d", path, got, want)
				}
			}
			// A source system searches literally (IDN-124).
			if got := r.rows("source XAC", "Observation?patient=xac.p", false); !slices.Equal(got, []string{"Observation/xac.o"}) {
				t.Errorf("source system: got %s", sprint(got))
			}
			r.restart()
			check("Observation?patient=xac.p", observations...)
			// Undone exactly.
			r.put("XPI", "Patient", "1", identifier(number))
			r.caughtUp()
			for path, got := range r.answers(append(slices.Clone(first), last...)) {
				if got != before[path] {
					t.Errorf("after the index withdrew it: GET %s:\ngot  %s\nwant %s", path, got, before[path])
				}
			}
		})
	}
}

// TestSupersededRefusals: a refusal under either number covers both while one supersedes the other, and again the one alone
// when the patient index withdraws that, or when its Patient is deleted (IDN-134).
func TestSupersededRefusals(t *testing.T) {
	for _, refused := range []string{`{"identifier":{"system":"` + nhs + `","value":"` + number + `"}}`, `{"reference":"Patient/xgp.p"}`, `{"reference":"Patient/xpi.1"}`} {
		for _, typ := range []string{"replaced-by", "replaces"} {
			r := newRegion(t, nil, true)
			r.twoNumbers()
			r.delete("XMH", "Patient", "p") // a refusal by a number covers whoever had it, and so by its other number
			link := func(there bool) {
				text := ""
				switch {
				case there && typ == "replaced-by":
					text = linkTo(typ, "xpi.2")
				case there:
					text = linkTo(typ, "xpi.1")
				}
				if typ == "replaces" {
					r.put("XPI", "Patient", "2", identifier(second)+text)
				} else {
					r.put("XPI", "Patient", "1", identifier(number)+text)
				}
			}
			seen := func(when string, want ...string) {
				t.Helper()
				slices.Sort(want)
				if got := r.rows("staff XUN", "Observation", false); !slices.Equal(got, want) {
					t.Errorf("%s, %s, %s: others see %s, want %s", refused, typ, when, sprint(got), sprint(want))
				}
				if err := r.server.Guard.CheckMemory(t.Context()); err != nil {
					t.Error(err)
				}
			}
			both := []string{"Observation/xac.o", "Observation/xsc.o", "Observation/xsc.n"} // under the second number
			somebody := "Observation/xgp.q"
			r.put("XGP", "Consent", "c", directive("OPTOUT", refused, "active"))
			seen("no link", append([]string{somebody}, both...)...)
			link(true)
			seen("superseded", somebody)
			r.restart()
			seen("after a restart", somebody)
			link(false)
			r.caughtUp()
			seen("withdrawn", append([]string{somebody}, both...)...)
			link(true)
			r.caughtUp()
			seen("superseded again", somebody)
			r.delete("XPI", "Patient", "1")
			r.caughtUp()
			if refused != `{"reference":"Patient/xpi.1"}` { // else the deleted Patient still says whom the refusal is about
				seen("the index's Patient is deleted", append([]string{somebody}, both...)...)
			}
			r.put("XGP", "Consent", "c", directive("OPTOUT", refused, "inactive"))
			link(true)
			r.caughtUp()
			if got := r.rows("staff XUN", "Observation", false); len(got) < 6 {
				t.Errorf("%s, %s: after the refusal ended others see %s", refused, typ, sprint(got))
			}
		}
	}
}

// TestProtectedNumber: a number that was superseded to protect somebody, as the label of the patient index's Patient says, is no
// alias, is shown to nobody, and hides nothing of the new number (IDN-134).
func TestProtectedNumber(t *testing.T) {
	r := newRegion(t, nil, true)
	r.put("XGP", "Patient", "p", identifier(number))
	r.put("XGP", "Observation", "o", observation("1")+about("xgp.p"))
	r.put("XAC", "Patient", "p", identifier(second))
	r.put("XAC", "Observation", "o", observation("1")+about("xac.p"))
	r.put("XPI", "Patient", "2", identifier(second))
	label := `,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}`
	r.put("XPI", "Patient", "1", identifier(number)+label+linkTo("replaced-by", "xpi.2"))
	r.caughtUp()
	for _, ods := range []string{"XGP", "XAC", "XMH"} {
		if got := r.rows("staff "+ods, "Observation", false); !slices.Equal(got, []string{"Observation/xac.o"}) {
			t.Errorf("staff of %s: got %s, want the row of the new number alone", ods, sprint(got))
		}
		if got := r.rows("staff "+ods, "Patient", false); !slices.Equal(got, []string{"Patient/xpi.2"}) {
			t.Errorf("staff of %s: got %s, want the new person alone", ods, sprint(got))
		}
		if got := r.rows("staff "+ods, "Patient?identifier="+nhs+"|"+number, false); len(got) > 0 {
			t.Errorf("staff of %s are shown the protected number: %s", ods, sprint(got))
		}
	}
	if err := r.server.Guard.CheckMemory(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSupersededInOneCommit: the patient index corrects the direction of a link in one transaction (IDN-134).
func TestSupersededInOneCommit(t *testing.T) {
	for _, d := range [][4]string{{"1", "2", number, second}, {"2", "1", second, number}} {
		r := newRegion(t, nil, true)
		old, current := d[0], d[1]
		r.put("XPI", "Patient", old, identifier(d[2]))
		r.put("XPI", "Patient", current, identifier(d[3])+linkTo("replaced-by", "xpi."+old)) // the mistake
		r.put("XGP", "Patient", "p", identifier(d[2]))
		r.put("XGP", "Observation", "o", observation("1")+about("xgp.p"))
		r.put("XAC", "Patient", "p", identifier(d[3]))
		r.put("XAC", "Observation", "o", observation("1")+about("xac.p"))
		entry := func(id, body string) string {
			return `{"resource":{"resourceType":"Patient","id":"xpi.` + id + `"` + body + `},"request":{"method":"PUT","url":"Patient/xpi.` + id + `"}}`
		}
		code, body := r.send("source XPI", http.MethodPost, "", `{"resourceType":"Bundle","type":"transaction","entry":[`+
			entry(current, identifier(d[3]))+","+entry(old, identifier(d[2])+linkTo("replaced-by", "xpi."+current))+`]}`)
		if code != 200 {
			t.Fatalf("the correction: %d %s", code, body)
		}
		r.caughtUp()
		for _, id := range []string{"xgp.p", "xac.p"} {
			if got := r.rows("staff XMH", "Observation?patient="+id, false); len(got) != 2 {
				t.Errorf("Observation?patient=%s: got %s, want the rows under both numbers", id, sprint(got))
			}
		}
		if got := r.rows("staff XMH", "Patient?_count=5", false); !slices.Equal(got, []string{"Patient/xpi." + current}) {
			t.Errorf("Patient: got %s, want the person once", sprint(got))
		}
	}
}

// TestSupersededCostsNoWalk: a page that shows somebody with a superseded number reads no more of the record for it (IDN-121,
// LIM-004).
func TestSupersededCostsNoWalk(t *testing.T) {
	r := newRegion(t, nil, true)
	r.server.Search.Limits.ScanMaximum = 10
	var numbers []string
	for n := 999_000_1000; len(numbers) < 30; n++ {
		if s := strconv.Itoa(n); fhir.ValidNHSNumber(s) {
			numbers = append(numbers, s)
		}
	}
	slices.SortFunc(numbers, func(a, b string) int {
		return cmp.Compare(index.PartitionOf(facts.IdentifierName(nhs, a)), index.PartitionOf(facts.IdentifierName(nhs, b)))
	})
	for i, n := range numbers {
		gender := `,"gender":"male"`
		if i < 3 {
			gender = `,"gender":"female"`
		}
		r.put("XPI", "Patient", strconv.Itoa(i), identifier(n)+gender)
	}
	r.put("XPI", "Patient", "3", identifier(numbers[3])+`,"gender":"male"`+linkTo("replaced-by", "xpi.0"))
	r.caughtUp()
	if code, body := r.send("staff XGP", http.MethodGet, "Patient?gender:not=male&_count=1", ""); code != 200 {
		t.Errorf("got %d %s, want a page", code, body)
	}
}

// TestSignInSuperseded: a sign-in by either number leads to the Patient of the surviving one, by its birth date (IDN-122, 131, 134).
func TestSignInSuperseded(t *testing.T) {
	r := newRegion(t, nil, true)
	r.put("XPI", "Patient", "1", identifier(number)+`,"birthDate":"1950-02-01"`+linkTo("replaced-by", "xpi.2"))
	r.put("XPI", "Patient", "2", identifier(second)+`,"birthDate":"1950-01-02"`)
	r.caughtUp()
	for _, n := range []string{number, second} {
		for date, want := range map[string]string{"1950-01-02": "xpi.2", "1950-02-01": ""} {
			if in, err := r.server.Guard.SignIn(t.Context(), n, date); in.Patient != want || err != nil {
				t.Errorf("number %s, born %s: got %q, %v, want %q", n, date, in.Patient, err, want)
			}
		}
	}
}

// TestSupersededOnWorkLists: Patients of one person in several partitions are compared with each other (IDN-107).
func TestSupersededOnWorkLists(t *testing.T) {
	r := newRegion(t, nil, true)
	r.put("XPI", "Patient", "2", identifier(second)+`,"birthDate":"1950-01-02"`)
	r.put("XPI", "Patient", "1", identifier(number)+`,"birthDate":"1950-01-02"`+linkTo("replaced-by", "xpi.2"))
	r.put("XMH", "Patient", "p", identifier(number))
	r.put("XMH", "Patient", "q", identifier(second))
	r.caughtUp()
	var got []string
	err := worklist.Walk(t.Context(), r.server.Guard, worklist.Duplicates, func() error { return nil }, func(e worklist.Entry) error {
		for _, p := range e.Patients {
			got = append(got, p.Reference)
		}
		return nil
	})
	if want := []string{"Patient/xmh.p", "Patient/xmh.q", "Patient/xpi.1", "Patient/xpi.2"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %s, %v, want %s", sprint(got), err, sprint(want))
	}
}
