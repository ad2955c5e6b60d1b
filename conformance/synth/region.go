package synth

import (
	"iter"
	"math/rand/v2"
	"strconv"
)

// MaxPatients is how many patients a Region has at most: the test range of NHS
// numbers holds no more.
const MaxPatients = 900_000

// regionNumbers is where in the test range a Region begins; what lies before is
// the Sample's.
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

// Region yields the bundles of a region, one at a time: what the sources say of
// themselves, then patient by patient what each source wrote, the practice
// first, since it holds the Patient. A bundle has at most 100 resources and is
// about one patient. Every bundle can be loaded more than once. Only the patient
// in hand is held in memory. More patients than MaxPatients are not made.
func Region(cfg Config) iter.Seq[Bundle] {
	return func(yield func(Bundle) bool) {
		g := newGenerator(cfg.dated())
		for _, f := range g.feeds {
			bundles := [][]byte{organisation(*f.of)}
			g.services(f)
			for i, body := range append(bundles, f.take()...) {
				if !yield(Bundle{Source: f.of.ODS, Name: "organisation" + part(i) + ".json", Body: body}) {
					return
				}
			}
		}
		g.people(yield)
	}
}

// part numbers the bundles of one name.
func part(i int) string {
	if i == 0 {
		return ""
	}
	return "-" + strconv.Itoa(i+1)
}

// generator is a region in the making. Its tables do not change.
type generator struct {
	cfg                                         Config
	feeds                                       []*feed
	practices, trusts                           []*feed
	community, mental, social                   *feed
	families, women, men, streets, towns, texts []string
	lasting                                     []illness
	passing                                     []passing
	operations                                  []operation
	panels                                      []panel
	formulary                                   []medicine
	childhood                                   []vaccine
	bedside                                     vitals
	known                                       findings
	numbers                                     numbers
	letter                                      []byte
}

func newGenerator(cfg Config) *generator {
	g := &generator{cfg: cfg, families: moreFamilies(), women: women(), men: men(), streets: streets(), towns: towns(), texts: phrases(),
		lasting: lasting(), passing: passingBy(), operations: operations(), panels: panels(), formulary: formulary(), childhood: childhood(),
		bedside: bedside(), known: known(), numbers: numbers{after: regionNumbers}}
	for _, o := range Sources() {
		f := &feed{of: &o, ref: "Organization/" + o.IDPrefix + "org"}
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

// people yields what the sources wrote, patient by patient.
func (g *generator) people(yield func(Bundle) bool) {
	left := min(g.cfg.Patients, MaxPatients)
	n := 0
	for house := uint64(1); left > 0; house++ {
		h := g.newHousehold(rand.New(rand.NewPCG(g.cfg.Seed, house)))
		for _, p := range h.people {
			p.n, p.nhs = n, g.numbers.next()
			p.ref = "Patient/" + g.practices[h.practice].of.IDPrefix + "r" + strconv.Itoa(n)
			n++
		}
		for _, p := range h.people {
			if left--; left < 0 {
				return
			}
			if !g.live(p, yield) {
				return
			}
		}
	}
}

// live writes one patient's record.
func (g *generator) live(p *person, yield func(Bundle) bool) bool {
	for _, f := range g.feeds {
		f.patient, f.serial = p.n, 0
	}
	g.practice(p)
	g.hospital(p)
	g.care(p)
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

func (g *generator) yield(f *feed, p *person, yield func(Bundle) bool) bool {
	for i, body := range f.take() {
		if !yield(Bundle{Source: f.of.ODS, Name: "patient-" + pad(p.n) + part(i) + ".json", Body: body}) {
			return false
		}
	}
	return true
}

func pad(n int) string {
	s := strconv.Itoa(n)
	return "000000"[min(6, len(s)):] + s
}
