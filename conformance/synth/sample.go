package synth

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"carerecord/fhir"
)

// The organisations of the sample.
const (
	Practice  = "XGP01"
	Acute     = "XAC01"
	Community = "XCO01"
)

// Organisations returns the organisations of the sample, the practice first. A Region has them too.
func Organisations() []Organisation {
	return []Organisation{
		{Practice, "Hollybank Surgery", "gp", "demo-gp-feed", "xgp01."},
		{Acute, "St Brannock's Hospital", "acute", "demo-feed", "xac01."},
		{Community, "Tamarside Community Care", "community", "demo-community-feed", "xco01."},
	}
}

// Sample yields the bundles of the sample: first those about the organisations, then for each patient
// those of the practice, the trust and the community provider. Every bundle can be loaded more than
// once, since it has the ids of its resources.
func Sample(cfg Config) iter.Seq[Bundle] {
	cfg = cfg.withDefaults()
	return func(yield func(Bundle) bool) {
		for _, o := range Organisations() {
			if !yield(Bundle{Source: o.ODS, Name: "organisation.json", Body: organisation(o)}) {
				return
			}
		}
		number := nhsNumbers{}
		for n := range cfg.Patients {
			p := newSamplePatient(cfg, n, number.next())
			for _, b := range []Bundle{p.practice(), p.acute(), p.community()} {
				if !yield(b) {
					return
				}
			}
		}
	}
}

// sampleWriter collects the entries of one transaction bundle.
type sampleWriter struct {
	prefix  string
	entries []string
}

// put adds a resource whose id is the prefix and id, and returns the reference to it. members is the
// JSON of all members except resourceType and id.
func (w *sampleWriter) put(typ, id, members string) string {
	full := w.prefix + id
	w.entries = append(w.entries, fmt.Sprintf(`{"fullUrl":"urn:carerecord:%s:%s","resource":{"resourceType":"%s","id":"%s",%s},"request":{"method":"PUT","url":"%s/%s"}}`,
		typ, full, typ, full, members, typ, full))
	return typ + "/" + full
}

func (w *sampleWriter) bundle() []byte {
	return []byte(`{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(w.entries, ",") + `]}`)
}

func organisation(o Organisation) []byte {
	w := &sampleWriter{prefix: o.IDPrefix}
	org := w.put("Organization", "org", fmt.Sprintf(`"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"%s"}],"active":true,"name":%s`, o.ODS, fhir.Quoted(o.Name)))
	for i, name := range []string{"Ash", "Birch", "Cedar"} {
		pr := w.put("Practitioner", fmt.Sprintf("pr%d", i), fmt.Sprintf(`"active":true,"name":[{"family":"%s","given":["%s"],"prefix":["Dr"]}]`, name, o.Kind[:1]))
		w.put("PractitionerRole", fmt.Sprintf("role%d", i), fmt.Sprintf(`"active":true,"practitioner":{"reference":"%s"},"organization":{"reference":"%s"}`, pr, org))
	}
	w.put("Location", "loc", fmt.Sprintf(`"status":"active","name":%s,"managingOrganization":{"reference":"%s"}`, fhir.Quoted(o.Name+", main building"), org))
	return w.bundle()
}

// samplePatient generates the bundles about one patient of the sample.
type samplePatient struct {
	number int
	nhs    string
	cfg    Config
	rng    *rand.Rand
	ref    string // Patient/…
}

func newSamplePatient(cfg Config, n int, nhs string) *samplePatient {
	return &samplePatient{number: n, nhs: nhs, cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, uint64(n)+1)),
		ref: "Patient/" + Organisations()[0].IDPrefix + fmt.Sprintf("p%d", n)}
}

func (p *samplePatient) pick(list []string) string { return list[p.rng.IntN(len(list))] }

// day returns a date up to ten years before now.
func (p *samplePatient) day() time.Time {
	return p.cfg.Now.Add(-time.Duration(p.rng.IntN(3650*24)) * time.Hour)
}
