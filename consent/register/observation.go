package register

import (
	"maps"
	"slices"

	"carerecord/consent/facts"
	"carerecord/store"
)

// Sets are the register's sets that a predicate asks.
type Sets struct{ OptedOut, Denied, Restricted store.Set }

// inForce reports what is in force for a name, at one instant.
func (r *Register) inForce(name string) (c statement) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	add := func(name string) {
		c.optOut = c.optOut || r.optOut[name] > 0
		c.directive = c.directive || r.directive[name] > 0
		c.restricted = c.restricted || r.restricted[name] > 0
	}
	add(name)
	//law:bearers-covered
	for of := range r.identifiersOf[name] {
		add(of)
	}
	for patient := range r.patientsOf[name] { // it may mean that one, whoever else bears it by now
		add(patient)
	}
	return c
}

// Observation is the register as one request sees it. A directive may change its kind between
// two questions of a request, so that none of the kinds is in force when it is asked for
// it: whoever was found in one set stays as found. It is for the goroutine of the request.
type Observation struct {
	*Register
	seen map[string]statement // of those for whom something is in force
}

func (r *Register) Observe() *Observation { return &Observation{r, map[string]statement{}} }

func (d *Observation) of(name string) statement {
	if c, met := d.seen[name]; met {
		return c
	}
	c := d.inForce(name)
	if c.decides() {
		d.seen[name] = c
	}
	return c
}

// Sets are the three sets, for predicates and decisions.
func (d *Observation) Sets() Sets {
	return Sets{
		OptedOut:   facts.SetFunc(func(name string) bool { return d.of(name).optOut }),
		Denied:     facts.SetFunc(func(name string) bool { return d.of(name).directive }),
		Restricted: facts.SetFunc(func(name string) bool { return d.of(name).restricted }),
	}
}

// Patients are the ids of those of whom something may be in force, now, by the id or by
// an identifier; each once.
func (r *Register) Patients() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := map[string]bool{}
	for name := range r.patientCount {
		all[name] = true
	}
	for patient := range r.identifiersOf {
		all[patient] = true
	}
	return slices.Collect(maps.Keys(all))
}
