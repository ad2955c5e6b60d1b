package register

import (
	"maps"
	"slices"

	"carerecord/consent/facts"
	"carerecord/store"
)

// Sets are the sets of persons, by name, that predicates query.
type Sets struct{ OptedOut, Denied, Restricted store.Set }

// inForce returns what is in force for a name at one instant.
func (r *Register) inForce(name string) statement {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.inForceLocked(name)
}

// inForceLocked is inForce where mu is held.
func (r *Register) inForceLocked(name string) (c statement) {
	add := func(name string) {
		c.optOut = c.optOut || r.optOut[name] > 0
		c.directive = c.directive || r.directive[name] > 0
		c.restricted = c.restricted || r.restricted[name] > 0
	}
	add(name)
	patients := []string{name}
	//law:number-covered
	if facts.IsIdentifierName(name) {
		patients = slices.Collect(maps.Keys(r.patientsOf[name])) // the identifier may mean each of them
	}
	var followed []string // identifiers that connect, each of which may belong to many of the Patients
	for _, patient := range r.withTied(patients, true) {
		if add(patient); facts.IsIdentifierName(name) && !r.connects(name) {
			continue // one of the source's own identifiers
		}
		//law:bearers-covered
		for identifier := range r.identifiersOf[patient] {
			add(identifier)
			if _, tie := facts.TiedPatient(identifier); tie || !r.connects(identifier) || slices.Contains(followed, identifier) { // withTied has followed ties
				continue
			}
			followed = append(followed, identifier)
			//law:same-number-covered
			for _, same := range r.withTied(slices.Collect(maps.Keys(r.patientsOf[identifier])), true) {
				add(same)
			}
		}
	}
	return c
}

// withTied returns some Patients with all that are tied to them, directly or through others. With protect, a restricted Patient
// of the patient index is tied to none: its number was superseded to protect somebody (IDN-134).
func (r *Register) withTied(patients []string, protect bool) []string {
	known := map[string]bool{}
	for _, id := range patients {
		known[id] = true
	}
	for i := 0; i < len(patients); i++ {
		for identifier := range r.identifiersOf[patients[i]] {
			if _, tie := facts.TiedPatient(identifier); !tie {
				continue
			}
			//law:tied-covered
			for tied := range r.patientsOf[identifier] {
				protected := protect && r.isIndexTie(identifier) && (r.restricted[patients[i]] > 0 || r.restricted[tied] > 0)
				if !protected && !known[tied] {
					known[tied] = true
					patients = append(patients, tied)
				}
			}
		}
	}
	return patients
}

// Observation is the register as one request sees it. A directive may change its kind during a request, so
// that a query of each kind misses it: a person who was found in one set stays there until the
// request ends. It is for one goroutine.
type Observation struct {
	*Register
	seen map[string]statement // persons for whom something is in force
}

// Observe begins an Observation.
func (r *Register) Observe() *Observation { return &Observation{r, map[string]statement{}} }

func (d *Observation) of(name string) statement {
	if c, known := d.seen[name]; known {
		return c
	}
	c := d.inForce(name)
	if c.decides() {
		d.seen[name] = c
	}
	return c
}

// Sets returns the three sets, for predicates and decisions.
func (d *Observation) Sets() Sets {
	return Sets{
		OptedOut:   facts.SetFunc(func(name string) bool { return d.of(name).optOut }),
		Denied:     facts.SetFunc(func(name string) bool { return d.of(name).directive }),
		Restricted: facts.SetFunc(func(name string) bool { return d.of(name).restricted }),
	}
}

// Names returns the person keys of the people for whom something may be in force now: ids of Patients and national
// numbers, each once.
func (r *Register) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := map[string]bool{}
	for name := range r.patientCount {
		all[name] = true
	}
	for patient := range r.identifiersOf {
		all[patient] = true
	}
	for name := range r.patientsOf {
		all[name] = true
	}
	for name := range r.identifierCount {
		all[name] = true
	}
	for name := range all {
		if _, tie := facts.TiedPatient(name); tie || facts.IsIdentifierName(name) && !r.connects(name) {
			delete(all, name)
		}
	}
	return slices.Collect(maps.Keys(all))
}
