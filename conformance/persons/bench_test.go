package persons

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/conformance/servertest"
	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/store/pebble"
)

// BenchmarkPersons measures reads and searches of persons with 1, 2 and 6 Patients on the embedded engine, and prints how many
// times as long they take as in a record that joins nobody, in which a person has one Patient.
func BenchmarkPersons(b *testing.B) {
	of := append([]string{"XUN"}, sources...)
	records := map[string]*servertest.Server{}
	open := func(b *testing.B, joins bool, patients int) *servertest.Server {
		name := fmt.Sprint(joins, patients)
		if records[name] == nil {
			records[name] = benchRecord(b, joins, of[:patients], of)
		}
		return records[name]
	}
	for _, c := range []struct{ name, path string }{
		{"read", "Patient/%s"},
		{"search", "Observation?patient=%s&_count=20"},
		{"chain", "Observation?patient._id=%s&_count=20"},
		{"search of Patients", "Patient?_has:Observation:patient:code=http://loinc.org|7&_id:not=%s&_count=20"},
		{"Patients", "Patient?_tag:not=%s&identifier=" + nhs + "|&_count=20"},
		{"narrow search", "Observation?patient=%s&code=http://loinc.org|7"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var literal float64
			for _, kind := range []struct {
				name     string
				joins    bool
				patients int
			}{{"joins nobody", false, 1}, {"1 Patient", true, 1}, {"2 Patients", true, 2}, {"6 Patients", true, 6}} {
				b.Run(kind.name, func(b *testing.B) {
					server := open(b, kind.joins, kind.patients)
					i := 0
					b.ReportAllocs()
					for b.Loop() {
						i++
						path := fmt.Sprintf(c.path, fmt.Sprintf("%s.p%d", strings.ToLower(of[i%kind.patients]), i%50))
						if code, body := sendTo(server, "staff", http.MethodGet, path, ""); code != 200 {
							b.Fatalf("GET %s: %d %s", path, code, body)
						}
					}
					each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
					if literal == 0 {
						literal = each
					}
					b.ReportMetric(each/literal, "times-as-long")
				})
			}
		})
	}
}

// benchRecord makes a record of 50 persons with a Patient of each of some sources and 30 Observations, which the sources share.
func benchRecord(b *testing.B, joins bool, of, all []string) *servertest.Server {
	b.Helper()
	folder := servertest.Policy(true, all...)
	callers := map[string]consent.Principal{"staff": {Kind: consent.Staff, Subject: "staff", Organisation: "XMH", Role: "R1", Activities: []string{policy.ActivityRead},
		Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Scopes: servertest.Scopes(b, "user/*.cruds")}}
	for _, ods := range all {
		callers[ods] = servertest.SourceSystem(b, ods)
	}
	folder.Identity = nil
	if joins {
		folder.Identity = policy.DefaultIdentity(all...)
	}
	p, err := pebble.Open(pebble.Config{Dir: "record", FS: vfs.NewMem(), Cache: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	cfg := servertest.Config{Store: p, State: p, Policy: folder, Callers: callers}
	cfg.Guard = func(g *consent.Config) { g.State = p }
	server := servertest.Open(b, cfg)
	put := func(ods, typ, id, body string) {
		id = strings.ToLower(ods) + "." + id
		text := `{"resourceType":"` + typ + `","id":"` + id + `"` + body + `}`
		if code, answer := sendTo(server, ods, http.MethodPut, typ+"/"+id, text); code != 201 {
			b.Fatalf("put %s/%s: %d %s", typ, id, code, answer)
		}
	}
	for person := range 50 {
		for _, ods := range of {
			put(ods, "Patient", fmt.Sprintf("p%d", person), identifier(benchNumber(person)))
		}
		for n := range 30 {
			ods := of[n%len(of)]
			put(ods, "Observation", fmt.Sprintf("p%d-%d", person, n), observation(fmt.Sprint(n))+about(fmt.Sprintf("%s.p%d", strings.ToLower(ods), person)))
		}
	}
	return server
}

// benchNumber returns the valid NHS number of a person.
func benchNumber(person int) string {
	for check := range 20 {
		if n := fmt.Sprintf("99900%04d%d", person*2+check/10, check%10); policy.DefaultIdentity().Valid(nhs, n) {
			return n
		}
	}
	panic("no valid number")
}
