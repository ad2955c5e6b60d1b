package r4

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// ValueSet holds the codes of a value set that an element is bound to.
type ValueSet struct{ systems []systemCodes }

type systemCodes struct {
	system string
	codes  []string // sorted; nil for any
}

// ValueSetOf returns a value set by its address without version, or nil if no element of the
// tables is bound to it.
func ValueSetOf(url string) *ValueSet { return valueSets()[url] }

// Has reports whether the set has a code of a system. It is true for a system whose codes the
// standard's package does not list (MIME types, UCUM).
func (v *ValueSet) Has(system, code string) bool {
	for _, s := range v.systems {
		if s.system == system && s.has(code) {
			return true
		}
	}
	return false
}

// System returns the system of a bare code of the set (SRCH-043).
func (v *ValueSet) System(code string) (string, bool) {
	for _, s := range v.systems {
		if s.has(code) {
			return s.system, true
		}
	}
	return "", false
}

// Systems returns the systems of the set, sorted.
func (v *ValueSet) Systems() []string {
	list := make([]string, len(v.systems))
	for i, s := range v.systems {
		list[i] = s.system
	}
	return list
}

// Codes returns the codes of all systems, sorted within each. It returns nil if the package does
// not list those of one of them.
func (v *ValueSet) Codes() []string {
	var all []string
	for _, s := range v.systems {
		if s.codes == nil {
			return nil
		}
		all = append(all, s.codes...)
	}
	return all
}

func (s systemCodes) has(code string) bool {
	if s.codes == nil {
		return true
	}
	_, found := slices.BinarySearch(s.codes, code)
	return found
}

//go:embed valuesets_gen.tsv
var valueSetTable string

var valueSets = sync.OnceValue(func() map[string]*ValueSet {
	all := map[string]*ValueSet{}
	var v *ValueSet
	for line := range lines(valueSetTable) {
		if url, ok := strings.CutPrefix(line, "= "); ok {
			v = &ValueSet{}
			all[url] = v
			continue
		}
		f := strings.Split(line, "\t")
		s := systemCodes{system: f[0]}
		if len(f) != 2 || f[1] != "*" {
			s.codes = f[1:]
		}
		v.systems = append(v.systems, s)
	}
	return all
})
