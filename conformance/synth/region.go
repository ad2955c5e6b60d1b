package synth

import (
	"iter"
	"math/rand/v2"
	"strconv"
)

// MaxPatients is the maximum number of patients of a Region. The range of NHS numbers for tests limits
// it.
const MaxPatients = 900_000

// regionNumbers is the first number of the test range that a Region uses.
const regionNumbers = 2000

// Sources returns the organisations of a Region: eight practices, two acute trusts, community,
// mental-health and social care.
func Sources() []Organisation {
	first := Organisations()
	source := func(ods, name, kind, prefix string) Organisation {
		return Organisation{ods, name, kind, "feed-" + prefix[:len(prefix)-1], prefix}
	}
	return []Organisation{
		first[0],
		source("XGP02", "Ferry Road Practice", "gp", "xgp02."), source("XGP03", "Westford Medical Centre", "gp", "xgp03."),
		source("XGP04", "Quarry Hill Surgery", "gp", "xgp04."), source("XGP05", "Northdene Health Centre", "gp", "xgp05."),
		source("XGP06", "Mill Lane Surgery", "gp", "xgp06."), source("XGP07", "The Weir Practice", "gp", "xgp07."), source("XGP08", "Upper Tamar Surgery", "gp", "xgp08."),
		first[1],
		source("XAC02", "Northdene General Hospital", "acute", "xac02."),
		first[2],
		source("XMH01", "Tamarside Mental Health", "mental-health", "xmh01."),
		source("XSC01", "Tamarside Adult Social Care", "social-care", "xsc01."),
	}
}

// Region yields the bundles of a region: first those about the organisations, then for each patient
// those of each source. The patient index, if there is one, comes first and the registered practice
// next. The Patient of a source is before the resources that refer to it. A bundle has
// at most 100 resources and is about one patient. Every bundle can be loaded more than once. Only one
// patient is in memory at a time. A region has at most MaxPatients patients.
func Region(cfg Config) iter.Seq[Bundle] {
	return func(yield func(Bundle) bool) {
		g := newGenerator(cfg.withDefaults())
		if g.cfg.Shape == PatientPerSource {
			g.index.writeIndexOrganisation()
			if !yield(Bundle{Source: g.index.organisation.ODS, Name: "organisation.json", Body: g.index.takeBundles()[0]}) {
				return
			}
		}
		for _, w := range g.sources {
			bundles := [][]byte{organisation(*w.organisation)}
			g.writeServices(w)
			for i, body := range append(bundles, w.takeBundles()...) {
				if !yield(Bundle{Source: w.organisation.ODS, Name: "organisation" + partName(i) + ".json", Body: body}) {
					return
				}
			}
		}
		g.writePeople(yield)
	}
}

// partName returns the suffix of the ith bundle with the same name.
func partName(i int) string {
	if i == 0 {
		return ""
	}
	return "-" + strconv.Itoa(i+1)
}

// generator generates a region. Its tables do not change.
type generator struct {
	cfg                                           Config
	sources                                       []*sourceWriter
	practices, trusts                             []*sourceWriter
	community, mentalHealth, socialCareSource     *sourceWriter
	families, women, men, streets, towns, phrases []string
	chronic                                       []illness
	acute                                         []acuteIllness
	operations                                    []operation
	panels                                        []panel
	formulary                                     []medicine
	childhood                                     []vaccine
	bedside                                       vitals
	codes                                         codeTable
	numbers, superseded                           nhsNumbers
	index                                         *sourceWriter // the patient index, which is not one of sources
	weights                                       Identity
	letterBuffer                                  []byte
}

func newGenerator(cfg Config) *generator {
	g := &generator{cfg: cfg, families: familyNames(), women: womensNames(), men: mensNames(), streets: streets(), towns: towns(), phrases: phrases(),
		chronic: chronicIllnesses(), acute: acuteIllnesses(), operations: operations(), panels: panels(), formulary: formulary(), childhood: childhoodSchedule(),
		bedside: bedsideVitals(), codes: newCodeTable(), numbers: nhsNumbers{after: regionNumbers}, superseded: nhsNumbers{after: supersededNumbers},
		index: newSourceWriter(PatientIndex()), weights: RegionIdentity()}
	for _, o := range Sources() {
		w := newSourceWriter(o)
		w.ownPatients = cfg.Shape == PatientPerSource
		for i := range 12 {
			w.staff = append(w.staff, "Practitioner/"+o.IDPrefix+"pr"+strconv.Itoa(i))
		}
		g.sources = append(g.sources, w)
		switch o.Kind {
		case "gp":
			g.practices = append(g.practices, w)
		case "acute":
			g.trusts = append(g.trusts, w)
		case "community":
			g.community = w
		case "mental-health":
			g.mentalHealth = w
		case "social-care":
			g.socialCareSource = w
		}
	}
	return g
}

func newSourceWriter(o Organisation) *sourceWriter {
	return &sourceWriter{organisation: &o, ref: "Organization/" + o.IDPrefix + "org"}
}

// writePeople yields the bundles about all patients.
func (g *generator) writePeople(yield func(Bundle) bool) {
	remaining := min(g.cfg.Patients, MaxPatients)
	n := 0
	for seed := uint64(1); remaining > 0; seed++ {
		h := g.newHousehold(rand.New(rand.NewPCG(g.cfg.Seed, seed)))
		for _, p := range h.people {
			p.number, p.nhs = n, g.numbers.next()
			p.ref = "Patient/" + g.practices[h.practice].organisation.IDPrefix + "r" + strconv.Itoa(n)
			n++
		}
		if g.cfg.Shape == PatientPerSource {
			g.identify(h)
		}
		for _, p := range h.people {
			if remaining--; remaining < 0 {
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
	for _, w := range g.sources {
		w.patient, w.lastID, w.knowsPatient = p.number, 0, false
	}
	g.writePracticeCare(p)
	if !p.identity.avoidsTrusts {
		g.writeHospitalCare(p)
	}
	g.writeOtherCare(p)
	home := g.practices[p.home.practice]
	if g.cfg.Shape == PatientPerSource {
		g.writeIdentityCare(p)
		g.writePatients(p)
		if !g.yieldBundles(g.index, p, yield) {
			return false
		}
	}
	if !g.yieldBundles(home, p, yield) {
		return false
	}
	for _, w := range g.sources {
		if w != home && !g.yieldBundles(w, p, yield) {
			return false
		}
	}
	return true
}

func (g *generator) yieldBundles(w *sourceWriter, p *person, yield func(Bundle) bool) bool {
	for i, body := range w.takeBundles() {
		if !yield(Bundle{Source: w.organisation.ODS, Name: "patient-" + pad(p.number) + partName(i) + ".json", Body: body}) {
			return false
		}
	}
	return true
}

func pad(n int) string {
	s := strconv.Itoa(n)
	return "000000"[min(6, len(s)):] + s
}
