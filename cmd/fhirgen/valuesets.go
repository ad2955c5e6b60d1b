package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// writeValueSets writes a line "= address" for every value set that an element of the type table
// is bound to, and below it a line for each system: system and codes, or * if the package does not
// list the codes.
func writeValueSets(b *bytes.Buffer, d *definitions) error {
	bindings := map[string]bool{}
	for _, s := range d.types {
		for _, e := range s.Snapshot.Element {
			if bound(e) {
				url, _, _ := strings.Cut(e.Binding.ValueSet, "|")
				bindings[url] = true
			}
		}
	}
	for _, url := range slices.Sorted(maps.Keys(bindings)) {
		codes := codesOf(d, url)
		fmt.Fprintf(b, "= %s\n", url)
		for _, system := range slices.Sorted(maps.Keys(codes)) {
			list := slices.Sorted(maps.Keys(codes[system]))
			if codes[system]["*"] {
				list = []string{"*"}
			}
			fmt.Fprintf(b, "%s\t%s\n", system, strings.Join(list, "\t"))
		}
	}
	return nil
}

// members maps a system to its codes; the code * is any code.
type members map[string]map[string]bool

func (m members) add(system, code string) {
	if m[system] == nil {
		m[system] = map[string]bool{}
	}
	m[system][code] = true
}

// ucum is the system of units. It is a grammar: the package's expansion lists common units only.
const ucum = "http://unitsofmeasure.org"

func allOfUCUM(in include) bool { return in.System == ucum && len(in.Concept) == 0 }

func codesOf(d *definitions, url string) members {
	m := members{}
	if slices.ContainsFunc(d.valueSets[url].Compose.Include, allOfUCUM) {
		m.add(ucum, "*")
		return m
	}
	if x, ok := d.expansions[url]; ok {
		m.expansion(x.Expansion.Contains)
	}
	if len(m) == 0 {
		m.compose(d, d.valueSets[url])
	}
	return m
}

func (m members) expansion(list []contains) {
	for _, c := range list {
		if c.Code != "" && !c.Abstract {
			m.add(c.System, c.Code)
		}
		m.expansion(c.Contains)
	}
}

func (m members) compose(d *definitions, v valueSet) {
	for _, in := range v.Compose.Include {
		for _, url := range in.ValueSet {
			for system, codes := range codesOf(d, url) {
				for code := range codes {
					m.add(system, code)
				}
			}
		}
		system, known := d.codeSystems[in.System]
		switch {
		case in.System == "":
		case len(in.Concept) > 0:
			for _, c := range in.Concept {
				m.add(in.System, c.Code)
			}
		case known && system.Content == "complete" && len(in.Filter) == 0:
			m.concepts(in.System, system.Concept)
		default:
			m.add(in.System, "*")
		}
	}
	for _, out := range v.Compose.Exclude {
		for _, c := range out.Concept {
			delete(m[out.System], c.Code)
		}
	}
}

func (m members) concepts(system string, list []concept) {
	for _, c := range list {
		m.add(system, c.Code)
		m.concepts(system, c.Concept)
	}
}
