package term

import (
	"maps"
	"slices"

	"github.com/tidwall/gjson"
)

// Set is the expansion of a value set.
type Set struct {
	whole map[string]bool            // systems of which any code belongs
	codes map[string]map[string]bool // by system
}

// Whole returns the systems of which every code belongs to the set, sorted.
func (s Set) Whole() []string { return slices.Sorted(maps.Keys(s.whole)) }

// Systems returns the other systems of which the set has codes, sorted.
func (s Set) Systems() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.codes)), func(system string) bool { return s.whole[system] })
}

// Codes returns the codes of one of Systems, sorted.
func (s Set) Codes(system string) []string { return slices.Sorted(maps.Keys(s.codes[system])) }

// Of returns the set of some codes of a system.
func Of(system string, codes ...string) Set {
	s := emptySet()
	s.add(system, codes...)
	return s
}

func emptySet() Set { return Set{map[string]bool{}, map[string]map[string]bool{}} }

func (s Set) add(system string, codes ...string) {
	if s.codes[system] == nil {
		s.codes[system] = map[string]bool{}
	}
	for _, c := range codes {
		s.codes[system][c] = true
	}
}

func (s Set) has(system, code string) bool { return s.whole[system] || s.codes[system][code] }

func (s Set) size() int {
	n := 0
	for _, codes := range s.codes {
		n += len(codes)
	}
	return n
}

// union adds the members of another set.
func (s Set) union(o Set) {
	maps.Copy(s.whole, o.whole)
	for system, codes := range o.codes {
		s.add(system, slices.Collect(maps.Keys(codes))...)
	}
}

// intersect returns the common members of both sets.
func (s Set) intersect(o Set) Set {
	out := emptySet()
	for system := range s.whole {
		if o.whole[system] {
			out.whole[system] = true
		}
	}
	for _, pair := range [][2]Set{{s, o}, {o, s}} {
		for system, codes := range pair[0].codes {
			for c := range codes {
				if pair[1].has(system, c) {
					out.add(system, c)
				}
			}
		}
	}
	return out
}

// without removes the members of another set.
func (s Set) without(o Set) error {
	for system := range o.whole {
		delete(s.whole, system)
		delete(s.codes, system)
	}
	for system, codes := range o.codes {
		if s.whole[system] && len(codes) > 0 {
			return unsupported("A value set leaves codes out of %s, whose codes are not known here.", system)
		}
		for c := range codes {
			delete(s.codes[system], c)
		}
	}
	return nil
}

// compose is the compose of a value set.
type compose struct{ include, exclude []clause }

// clause is one include or exclude: a code must satisfy all its conditions.
type clause struct {
	system, version string
	codes           []string
	filters         []filter
	sets            []string
}

type filter struct{ property, op, value string }

// storedSet reads the compose of a ValueSet resource.
func storedSet(address string, body []byte) (*compose, error) {
	r := gjson.GetBytes(body, "compose")
	switch inactive := r.Get("inactive"); {
	case !r.Get("include").Exists():
		return nil, unsupported("The value set %s does not say what it is composed of.", address)
	case inactive.Exists() && !inactive.Bool():
		return nil, unsupported("The value set %s leaves inactive codes out, which is not evaluated here.", address)
	case r.Get("lockedDate").Exists():
		return nil, unsupported("The value set %s has a locked date, which is not evaluated here.", address)
	}
	return &compose{clauses(r.Get("include")), clauses(r.Get("exclude"))}, nil
}

func clauses(list gjson.Result) []clause {
	var out []clause
	list.ForEach(func(_, in gjson.Result) bool {
		c := clause{system: in.Get("system").Str, version: in.Get("version").Str}
		in.Get("concept").ForEach(func(_, v gjson.Result) bool {
			c.codes = append(c.codes, v.Get("code").Str)
			return true
		})
		in.Get("filter").ForEach(func(_, f gjson.Result) bool {
			c.filters = append(c.filters, filter{f.Get("property").Str, f.Get("op").Str, f.Get("value").Str})
			return true
		})
		in.Get("valueSet").ForEach(func(_, v gjson.Result) bool {
			c.sets = append(c.sets, v.Str)
			return true
		})
		out = append(out, c)
		return true
	})
	return out
}
