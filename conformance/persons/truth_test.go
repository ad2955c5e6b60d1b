package persons

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/tidwall/gjson"

	"carerecord/conformance/servertest"
	"carerecord/conformance/synth"
	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/consent/worklist"
	"carerecord/store/pebble"
)

// TestTruth loads the Patients of a synthetic region as their sources send them, and compares who is one person with the
// truth beside it (IDN-160): everybody is joined rightly, nobody wrongly, and who is not joined has the reason of the truth.
// With -v it prints the table.
func TestTruth(t *testing.T) {
	identity := synth.RegionIdentity()
	var ods []string
	callers := map[string]consent.Principal{"staff": {Kind: consent.Staff, Subject: "s", Organisation: synth.Practice, Role: "R", Activities: []string{policy.ActivityRead}, Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Scopes: servertest.Scopes(t, "user/*.rs")}}
	for _, o := range append(synth.Sources(), synth.PatientIndex()) {
		ods = append(ods, o.ODS)
		p := servertest.SourceSystem(t, o.ODS)
		p.IDPrefix = o.IDPrefix
		callers["source "+o.ODS] = p
	}
	folder := servertest.Policy(true, ods...)
	folder.Identity = policy.DefaultIdentity(identity.Traced...)
	folder.Identity.Index = identity.Index
	db, err := pebble.Open(pebble.Config{Dir: "record", FS: vfs.NewMem(), Cache: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &region{T: t}
	r.server = servertest.Open(t, servertest.Config{Store: db, State: db, Policy: folder, Callers: callers, Guard: func(g *consent.Config) { g.State = db }})
	var truth []synth.Truth
	cfg := synth.Config{Patients: truthPeople, Seed: 1, Shape: synth.PatientPerSource, Truth: func(person synth.Truth) { truth = append(truth, person) }}
	for b := range synth.Region(cfg) {
		for _, e := range gjson.GetBytes(b.Body, "entry").Array() {
			if res := e.Get("resource"); res.Get("resourceType").Str == "Patient" {
				if code, body := r.send("source "+b.Source, http.MethodPut, "Patient/"+res.Get("id").Str, res.Raw); code != 201 && code != 200 {
					t.Fatalf("PUT Patient/%s by %s: %d %s", res.Get("id").Str, b.Source, code, body)
				}
			}
		}
	}
	r.caughtUp()
	contradicted := map[string]bool{}
	if err := worklist.Walk(t.Context(), r.server.Guard, worklist.Contradicted, func() error { return nil }, func(e worklist.Entry) error {
		contradicted[strings.TrimPrefix(e.Patients[0].Reference, "Patient/")] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	table := map[string]int{}
	for _, person := range truth {
		var joined []string // by the number, or by one that it superseded (IDN-134)
		for _, p := range person.Patients {
			if p.State == synth.Joined {
				joined = append(joined, p.ID)
			}
		}
		for _, p := range person.Patients {
			table[strings.TrimSpace(string(p.State)+" "+string(p.Reason))]++
			if want := p.State == synth.Contradicted; contradicted[p.ID] != want {
				t.Errorf("Patient/%s of %s: contradicted %v, want %v", p.ID, p.Source, contradicted[p.ID], want)
			}
			if p.State == synth.Contradicted {
				continue
			}
			want := []string{p.ID}
			if p.State == synth.Joined {
				want = joined
			}
			if got := r.sourcesOf(p.ID); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("person %d, Patient/%s of %s (%s): is one person with %v, want %v", person.Person, p.ID, p.Source, p.State, got, want)
			}
		}
	}
	for _, state := range slices.Sorted(maps.Keys(table)) {
		t.Logf("%5d Patients are %s", table[state], state)
	}
	if table["joined"] == 0 || table["contradicted"] == 0 {
		t.Errorf("the region has too few cases: %v", table)
	}
}

// sourcesOf returns the sorted ids of the Patients that are one person with a Patient.
func (r *region) sourcesOf(id string) []string {
	r.Helper()
	code, body := r.send("staff", http.MethodGet, "Patient/"+id+"/$sources", "")
	if code != 200 {
		r.Fatalf("GET Patient/%s/$sources: %d %s", id, code, body)
	}
	var out []string
	for _, e := range gjson.Get(body, "entry.#.resource.id").Array() {
		out = append(out, e.Str)
	}
	slices.Sort(out)
	return out
}
