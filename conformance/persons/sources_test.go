package persons

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// onePerson stores five Patients of one person, each with an Observation, and rows by number alone before and after
// their Patient. It returns the ids of the Patients.
func (r *region) onePerson() (patients []string) {
	r.put("XSC", "Observation", "early", observation("3")+byNumber(number)) // before any Patient
	families := map[string]string{"XGP": "Married", "XAC": "Maiden", "XCO": "Maiden", "XMH": "Maiden", "XSC": "Maiden"}
	for _, ods := range sources {
		r.put(ods, "Patient", "p", identifier(number)+`,"name":[{"family":"`+families[ods]+`"}]`)
		id := strings.ToLower(ods) + ".p"
		r.put(ods, "Observation", "o", observation("1")+about(id))
		patients = append(patients, id)
	}
	r.put("XAC", "Observation", "late", observation("3")+byNumber(number))
	r.put("XAC", "Encounter", "e", `,"status":"finished","class":{"code":"AMB"}`+about("xac.p"))
	// Somebody else, and somebody whose number does not count.
	r.put("XGP", "Patient", "q", identifier(second)+`,"name":[{"family":"Other"}]`)
	r.put("XGP", "Observation", "q", observation("1")+about("xgp.q"))
	r.put("XUN", "Patient", "p", identifier(number)+`,"name":[{"family":"Married"}]`)
	r.put("XUN", "Observation", "o", observation("1")+about("xun.p"))
	r.put("XUN", "Observation", "n", observation("3")+byNumber(number))
	r.caughtUp()
	return patients
}

// TestFiveSources: the rows of a person are found under each of its Patients and under its number (IDN-110, 120, 121).
func TestFiveSources(t *testing.T) {
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, open(t), false)
			patients := r.onePerson()
			var observations []string
			for _, ods := range sources {
				observations = append(observations, "Observation/"+strings.ToLower(ods)+".o")
			}
			observations = append(observations, "Observation/xsc.early", "Observation/xac.late")
			slices.Sort(observations)
			const staff = "staff XGP"
			check := func(path string, want ...string) {
				t.Helper()
				slices.Sort(want)
				if got := r.rows(staff, path, strings.Contains(path, "include")); !slices.Equal(got, want) {
					t.Errorf("GET %s:\ngot  %s\nwant %s", path, sprint(got), sprint(want))
				}
			}
			all := append(slices.Clone(observations), "Encounter/xac.e")
			for _, id := range patients {
				all = append(all, "Patient/"+id)
			}
			for _, id := range patients {
				check("Observation?patient=Patient/"+id, observations...)
				check("Observation?patient="+id+"&_count=2", observations...)
				check("Observation?subject:Patient="+id, observations...)
				check("Observation?subject=Patient/"+id+"&code=3", "Observation/xac.late", "Observation/xsc.early")
				check("Patient/"+id+"/Observation", observations...)
				check("Observation?_filter=patient%20eq%20Patient/"+id+"%20and%20code%20eq%203", "Observation/xac.late", "Observation/xsc.early")
				check("Patient/"+id+"/$everything", all...)
				check("Encounter?patient="+id, "Encounter/xac.e")
				check("Patient?_id="+id, "Patient/"+id)
			}
			check("Observation?patient:identifier="+nhs+"|"+number, observations...)
			check("Observation?patient.identifier="+nhs+"|"+number, append(slices.Clone(observations), "Observation/xun.o")...)
			// _include stays literal (IDN-123). A chain by a name that only one of the Patients has finds the rows of all; the untraced one is a stranger.
			check("Observation?patient.family=Married", append(slices.Clone(observations), "Observation/xun.o")...)
			check("Observation?patient:Patient.family=Married&_count=2", append(slices.Clone(observations), "Observation/xun.o")...)
			check("Observation?patient.family=Other", "Observation/xgp.q")
			// Each person once, the best of those that match.
			check("Patient?identifier="+nhs+"|"+number, "Patient/xgp.p", "Patient/xun.p")
			check("Patient?family=Maiden", "Patient/xac.p")
			check("Patient?_sort=family", "Patient/xgp.p", "Patient/xgp.q", "Patient/xun.p")
			check("Patient?_count=1", "Patient/xgp.p", "Patient/xgp.q", "Patient/xun.p")
			check("Patient?_has:Observation:patient:code=3", "Patient/xgp.p")
			check("Patient?_has:Encounter:patient:status=finished&_count=1", "Patient/xgp.p")
			check("Patient?family=Maiden&_revinclude=Encounter:patient", "Patient/xac.p", "Encounter/xac.e")
			check("Patient?family=Married&identifier="+nhs+"|"+number+"&_revinclude=Observation:patient", append(slices.Clone(observations), "Patient/xgp.p", "Patient/xun.p", "Observation/xun.o")...)
			check("Observation?patient=xgp.p&code=1&_include=Observation:patient", "Observation/xgp.o", "Observation/xac.o", "Observation/xco.o", "Observation/xmh.o", "Observation/xsc.o",
				"Patient/xgp.p", "Patient/xac.p", "Patient/xco.p", "Patient/xmh.p", "Patient/xsc.p")
			if got := r.rows(staff, "Observation/$lastn?patient=xmh.p&code=http://loinc.org|1&max=9", false); len(got) != 5 {
				t.Errorf("$lastn: got %s, want five", sprint(got))
			}
			for path, want := range map[string]int64{"Patient?_total=accurate&_count=1": 3, "Patient?_summary=count": 3, "Patient?family=Maiden&_summary=count": 1, "Observation?patient=xco.p&_summary=count": 7} {
				_, body := r.send(staff, http.MethodGet, path, "")
				if got := gjson.Get(body, "total").Int(); got != want {
					t.Errorf("GET %s: total %d, want %d", path, got, want)
				}
			}
			// A source system searches literally (IDN-124).
			for path, want := range map[string][]string{
				"Observation?patient=xac.p": {"Observation/xac.o"}, "Observation?patient=xgp.p": nil,
				"Observation?patient:identifier=" + nhs + "|" + number: {"Observation/xac.late"}, "Patient": {"Patient/xac.p"}, "Observation?patient.family=Maiden": {"Observation/xac.o"},
			} {
				if got := r.rows("source XAC", path, false); !slices.Equal(got, want) {
					t.Errorf("source system: GET %s: got %s, want %s", path, sprint(got), sprint(want))
				}
			}
			// Its own staff see the row by number of a source that does not trace; as nobody's.
			if got := r.rows("staff XUN", "Observation?code=3", false); !slices.Contains(got, "Observation/xun.n") {
				t.Errorf("staff of the source: got %s, want its own row", sprint(got))
			}
			if got := r.rows(staff, "Observation?code=3", false); slices.Contains(got, "Observation/xun.n") {
				t.Error("others see a row by a number that was not traced")
			}
		})
	}
}

// TestNumberWithoutPatient: a row by number alone is visible to others only while there is a joined Patient of the number
// (IDN-110).
func TestNumberWithoutPatient(t *testing.T) {
	r := newRegion(t, nil, false)
	seen := func(when string, want bool) {
		t.Helper()
		r.caughtUp()
		if got := len(r.rows("staff XGP", "Observation", false)) == 1; got != want {
			t.Errorf("%s: others see the row: %v, want %v", when, got, want)
		}
		if n := len(r.rows("staff XAC", "Observation", false)); n != 1 {
			t.Errorf("%s: its source sees %d rows, want 1", when, n)
		}
	}
	r.put("XAC", "Observation", "n", observation("1")+byNumber(number))
	seen("no Patient", false)
	r.put("XUN", "Patient", "p", identifier(number))
	seen("a Patient whose number does not count", false)
	r.put("XCO", "Patient", "p", identifier(number))
	seen("a joined Patient", true)
	r.put("XCO", "Patient", "p", identifier(second))
	seen("it has another number", false)
	r.put("XCO", "Patient", "p", identifier(number))
	seen("it has the number again", true)
	r.delete("XCO", "Patient", "p")
	seen("it is deleted", false)
	r.put("XMH", "Patient", "p", identifier(number, second))
	seen("a Patient with two numbers", false)
}
