// Package synth makes a synthetic region: people who never were, in a region
// that never was, with the shape of a real one. The same seed makes the same
// bytes.
//
// NHS numbers are of the range that is kept for tests (999 …), with their check
// digit. ODS codes begin with X, which no real organisation of England's
// registry uses for a practice or trust. Codes are SNOMED CT, LOINC and UCUM as
// public examples use them.
package synth

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"carerecord/fhir"
)

// The organisations of the region in its first form.
const (
	Practice  = "XGP01"
	Acute     = "XAC01"
	Community = "XCO01"
)

// Organisation is a source of the region.
type Organisation struct {
	ODS, Name, Kind string
	Feed            string // client id of its feed
	IDPrefix        string // id space of its feed
}

// Organisations returns the sources of the region, the practice first.
func Organisations() []Organisation {
	return []Organisation{
		{Practice, "Hollybank Surgery", "gp", "demo-gp-feed", "xgp01."},
		{Acute, "St Brannock's Hospital", "acute", "demo-feed", "xac01."},
		{Community, "Tamarside Community Care", "community", "demo-community-feed", "xco01."},
	}
}

// Config says what to make.
type Config struct {
	Patients int
	Seed     uint64
	Now      time.Time // newest date of the record; zero is 1 October 2026
}

// Bundle is one transaction bundle of one source.
type Bundle struct {
	Source string // ODS code
	Name   string // of a file, without folder
	Body   []byte
}

// Region yields the bundles of a region, one at a time: the organisations, then
// patient by patient what the practice, the trust and the community provider
// wrote. Every bundle can be loaded more than once: ids are chosen by their
// feeds.
func Region(cfg Config) iter.Seq[Bundle] {
	if cfg.Now.IsZero() {
		cfg.Now = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	}
	return func(yield func(Bundle) bool) {
		for _, o := range Organisations() {
			if !yield(Bundle{Source: o.ODS, Name: "organisation.json", Body: organisation(o)}) {
				return
			}
		}
		for n := range cfg.Patients {
			p := newPerson(cfg, n)
			for _, b := range []Bundle{p.practice(), p.acute(), p.community()} {
				if !yield(b) {
					return
				}
			}
		}
	}
}

// NHSNumber returns the nth number of the test range: 999, six digits, and the
// check digit. Numbers whose check digit would be 10 do not exist.
func NHSNumber(n int) string {
	for i := 0; ; i++ {
		nine := fmt.Sprintf("999%06d", i)
		sum := 0
		for k, d := range nine {
			sum += int(d-'0') * (10 - k)
		}
		check := (11 - sum%11) % 11
		if check == 10 {
			continue
		}
		if n == 0 {
			return nine + fmt.Sprint(check)
		}
		n--
	}
}

// SampleNHSNumber is the number of the sample person "patient": the first
// patient of every region.
func SampleNHSNumber() string { return NHSNumber(0) }

// writer gathers the entries of one transaction bundle.
type writer struct {
	prefix  string
	entries []string
}

// put adds a resource under an id of the feed. members is the JSON of all
// members but resourceType and id.
func (w *writer) put(typ, id, members string) string {
	full := w.prefix + id
	w.entries = append(w.entries, fmt.Sprintf(`{"fullUrl":"urn:carerecord:%s:%s","resource":{"resourceType":"%s","id":"%s",%s},"request":{"method":"PUT","url":"%s/%s"}}`,
		typ, full, typ, full, members, typ, full))
	return typ + "/" + full
}

func (w *writer) bundle() []byte {
	return []byte(`{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(w.entries, ",") + `]}`)
}

func organisation(o Organisation) []byte {
	w := &writer{prefix: o.IDPrefix}
	org := w.put("Organization", "org", fmt.Sprintf(`"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"%s"}],"active":true,"name":%s`, o.ODS, fhir.Quoted(o.Name)))
	for i, name := range []string{"Ash", "Birch", "Cedar"} {
		pr := w.put("Practitioner", fmt.Sprintf("pr%d", i), fmt.Sprintf(`"active":true,"name":[{"family":"%s","given":["%s"],"prefix":["Dr"]}]`, name, o.Kind[:1]))
		w.put("PractitionerRole", fmt.Sprintf("role%d", i), fmt.Sprintf(`"active":true,"practitioner":{"reference":"%s"},"organization":{"reference":"%s"}`, pr, org))
	}
	w.put("Location", "loc", fmt.Sprintf(`"status":"active","name":%s,"managingOrganization":{"reference":"%s"}`, fhir.Quoted(o.Name+", main building"), org))
	return w.bundle()
}

// person is one patient in the making.
type person struct {
	n   int
	cfg Config
	rng *rand.Rand
	id  string // Patient/…
}

func newPerson(cfg Config, n int) *person {
	return &person{n: n, cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, uint64(n)+1)),
		id: "Patient/" + Organisations()[0].IDPrefix + fmt.Sprintf("p%d", n)}
}

func (p *person) pick(list []string) string { return list[p.rng.IntN(len(list))] }

// day returns a date up to ten years before now.
func (p *person) day() time.Time {
	return p.cfg.Now.Add(-time.Duration(p.rng.IntN(3650*24)) * time.Hour)
}
