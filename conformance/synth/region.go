package synth

import (
	"iter"
	"math/rand/v2"
	"strconv"
)

// MaxPatients is the maximum number of patients of a Region: the test range has no more NHS
// numbers.
const MaxPatients = 900_000

// regionNumbers is the first number of the test range that a Region uses. Earlier ones are for
// Samples.
const regionNumbers = 2000

// Sources returns the sources of a Region: eight practices, two acute trusts,
// community, mental-health and social care.
func Sources() []Organisation {
	sample := Organisations()
	own := func(ods, name, kind, prefix string) Organisation {
		return Organisation{ods, name, kind, "feed-" + prefix[:len(prefix)-1], prefix}
	}
	return []Organisation{
		sample[0],
		own("XGP02", "Ferry Road Practice", "gp", "xgp02."), own("XGP03", "Westford Medical Centre", "gp", "xgp03."),
		own("XGP04", "Quarry Hill Surgery", "gp", "xgp04."), own("XGP05", "Northdene Health Centre", "gp", "xgp05."),
		own("XGP06", "Mill Lane Surgery", "gp", "xgp06."), own("XGP07", "The Weir Practice", "gp", "xgp07."), own("XGP08", "Upper Tamar Surgery", "gp", "xgp08."),
		sample[1],
		own("XAC02", "Northdene General Hospital", "acute", "xac02."),
		sample[2],
		own("XMH01", "Tamarside Mental Health", "mental-health", "xmh01."),
		own("XSC01", "Tamarside Adult Social Care", "social-care", "xsc01."),
	}
}

// Region yields the bundles of a region, one at a time: the organisations of the sources, then
// patient by patient the bundles of each source, the practice first, since it has the Patient. A
// bundle has at most 100 resources and is about one patient. Every bundle can be loaded more than
// once. Only one patient is in memory at a time. A region has at most MaxPatients patients.
func Region(cfg Config) iter.Seq[Bundle] {
	return func(yield func(Bundle) bool) {
		g := newGenerator(cfg.withDefaults())
		for _, f := range g.feeds {
			bundles := [][]byte{organisation(*f.organisation)}
			g.services(f)
			for i, body := range append(bundles, f.takeBundles()...) {
				if !yield(Bundle{Source: f.organisation.ODS, Name: "organisation" + partName(i) + ".json", Body: body}) {
					return
				}
			}
		}
		g.writePeople(yield)
	}
}

// partName returns the suffix of the ith bundle of one name.
func partName(i int) string {
	if i == 0 {
		return ""
	}
	return "-" + strconv.Itoa(i+1)
}

// generator makes a region. Its tables do not change.
type generator struct {
	cfg                                         Config
	feeds                                       []*sourceWriter
	practices, trusts                           []*sourceWriter
	community, mental, social                   *sourceWriter
	families, women, men, streets, towns, texts []string
	lasting                                     []illness
	passing                                     []acuteIllness
	operations                                  []operation
	panels                                      []panel
	formulary                                   []medicine
	childhood                                   []vaccine
	bedside                                     vitals
	known                                       findings
	numbers                                     nhsNumbers
	letter                                      []byte
}

func newGenerator(cfg Config) *generator {
	g := &generator{cfg: cfg, families: moreFamilyNames(), women: womensNames(), men: mensNames(), streets: streets(), towns: towns(), texts: phrases(),
		lasting: chronicIllnesses(), passing: acuteIllnesses(), operations: operations(), panels: panels(), formulary: formulary(), childhood: childhoodSchedule(),
		bedside: bedsideVitals(), known: findingCodes(), numbers: nhsNumbers{after: regionNumbers}}
	for _, o := range Sources() {
		f := &sourceWriter{organisation: &o, ref: "Organization/" + o.IDPrefix + "org"}
		for i := range 12 {
			f.staff = append(f.staff, "Practitioner/"+o.IDPrefix+"pr"+strconv.Itoa(i))
		}
		g.feeds = append(g.feeds, f)
		switch o.Kind {
		case "gp":
			g.practices = append(g.practices, f)
		case "acute":
			g.trusts = append(g.trusts, f)
		case "community":
			g.community = f
		case "mental-health":
			g.mental = f
		case "social-care":
			g.social = f
		}
	}
	return g
}

// writePeople yields the bundles of the sources, patient by patient.
func (g *generator) writePeople(yield func(Bundle) bool) {
	left := min(g.cfg.Patients, MaxPatients)
	n := 0
	for house := uint64(1); left > 0; house++ {
		h := g.newHousehold(rand.New(rand.NewPCG(g.cfg.Seed, house)))
		for _, p := range h.people {
			p.n, p.nhs = n, g.numbers.next()
			p.ref = "Patient/" + g.practices[h.practice].organisation.IDPrefix + "r" + strconv.Itoa(n)
			n++
		}
		for _, p := range h.people {
			if left--; left < 0 {
				return
			}
			if !g.writePerson(p, yield) {
				return
			}
		}
	}
}

// writePerson yields the bundles about one patient.
func (g *generator) writePerson(p *person, yield func(Bundle) bool) bool {
	for _, f := range g.feeds {
		f.patient, f.serial = p.n, 0
	}
	g.practiceCare(p)
	g.hospital(p)
	g.otherCare(p)
	home := g.practices[p.home.practice]
	if !g.yield(home, p, yield) {
		return false
	}
	for _, f := range g.feeds {
		if f != home && !g.yield(f, p, yield) {
			return false
		}
	}
	return true
}

func (g *generator) yield(f *sourceWriter, p *person, yield func(Bundle) bool) bool {
	for i, body := range f.takeBundles() {
		if !yield(Bundle{Source: f.organisation.ODS, Name: "patient-" + pad(p.n) + partName(i) + ".json", Body: body}) {
			return false
		}
	}
	return true
}

func pad(n int) string {
	s := strconv.Itoa(n)
	return "000000"[min(6, len(s)):] + s
}
