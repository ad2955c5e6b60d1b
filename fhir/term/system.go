package term

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// system is a code system with all its codes.
type system struct {
	url      string
	flat     bool                // nesting does not mean is-a
	codes    []string            // in the order of the definition
	parents  map[string][]string // of every code
	children map[string][]string
	values   map[string]map[string][]string // of a stored system: property, value, codes
}

func newSystem(url string, flat bool) *system {
	return &system{url: url, flat: flat, parents: map[string][]string{}, children: map[string][]string{}}
}

// add adds a code, below a parent that was added before, if it has one.
func (s *system) add(code, parent string) {
	if _, known := s.parents[code]; !known {
		s.codes = append(s.codes, code)
		s.parents[code] = nil
	}
	if parent != "" {
		s.link(parent, code)
	}
}

// link makes a code a child of another, if both are known. A repeated link is looked up in the
// shorter list, because a stored system may give one code very many links.
func (s *system) link(parent, child string) {
	parents, one := s.parents[child]
	_, two := s.parents[parent]
	children := s.children[parent]
	repeated := false
	if len(parents) < len(children) {
		repeated = slices.Contains(parents, parent)
	} else {
		repeated = slices.Contains(children, child)
	}
	if one && two && parent != child && !repeated {
		s.parents[child] = append(s.parents[child], parent)
		s.children[parent] = append(s.children[parent], child)
	}
}

// named returns the code as the system writes it. A code in another case is found if it matches
// only one.
func (s *system) named(code string) (string, bool) {
	if _, known := s.parents[code]; known {
		return code, true
	}
	fits := ""
	for _, c := range s.codes {
		if strings.EqualFold(c, code) {
			if fits != "" {
				return "", false
			}
			fits = c
		}
	}
	return fits, fits != ""
}

// closure returns a code and all codes that are reached from it by a relation.
func closure(code string, next map[string][]string) []string {
	all, seen := []string{code}, map[string]bool{code: true}
	for i := 0; i < len(all); i++ {
		for _, c := range next[all[i]] {
			if !seen[c] {
				seen[c] = true
				all = append(all, c)
			}
		}
	}
	return all
}

// complete reports whether a CodeSystem resource has all codes of its system.
func complete(body []byte) bool { return gjson.GetBytes(body, "content").Str == "complete" }

// storedSystem reads a CodeSystem resource. It returns an Error unless the content is complete.
func storedSystem(url string, body []byte) (*system, error) {
	r := gjson.ParseBytes(body)
	if !complete(body) {
		return nil, unsupported("The code system %s is here with the content %q: its codes are not all known.", url, r.Get("content").Str)
	}
	meaning := r.Get("hierarchyMeaning").Str
	s := newSystem(url, meaning != "" && meaning != "is-a")
	s.values = map[string]map[string][]string{}
	type link struct{ parent, child string }
	var links []link
	var read func(list gjson.Result, parent string)
	read = func(list gjson.Result, parent string) {
		list.ForEach(func(_, c gjson.Result) bool {
			code := c.Get("code").Str
			s.add(code, parent)
			c.Get("property").ForEach(func(_, p gjson.Result) bool {
				name, value := property(p)
				switch name {
				case "parent", "subsumedBy":
					links = append(links, link{value, code})
				case "child":
					links = append(links, link{code, value})
				}
				if s.values[name] == nil {
					s.values[name] = map[string][]string{}
				}
				s.values[name][value] = append(s.values[name][value], code)
				return true
			})
			read(c.Get("concept"), code)
			return true
		})
	}
	read(r.Get("concept"), "")
	for _, l := range links {
		s.link(l.parent, l.child)
	}
	return s, nil
}

// property is the name and the value of a property of a concept.
func property(p gjson.Result) (name, value string) {
	p.ForEach(func(key, v gjson.Result) bool {
		switch {
		case key.Str == "valueCoding":
			value = v.Get("code").Str
		case strings.HasPrefix(key.Str, "value"):
			value = v.String()
		}
		return true
	})
	return p.Get("code").Str, value
}

// filtered returns the codes that a filter of a compose keeps.
func (s *system) filtered(f filter) ([]string, error) {
	switch {
	case f.property == "concept" && (f.op == "is-a" || f.op == "descendent-of"):
		if s.flat {
			return nil, unsupported("The nesting of the code system %s does not mean is-a.", s.url)
		}
		code, known := s.named(f.value)
		if !known {
			return nil, unsupported("The code system %s has no code %q to filter by.", s.url, f.value)
		}
		below := closure(code, s.children)
		if f.op == "descendent-of" {
			below = below[1:]
		}
		return below, nil
	case f.op != "=":
	case f.property == "code":
		if code, known := s.named(f.value); known {
			return []string{code}, nil
		}
		return nil, nil
	case f.property == "parent" && !s.flat:
		return s.children[f.value], nil
	case s.values[f.property] != nil:
		return s.values[f.property][f.value], nil
	}
	return nil, unsupported("The filter %s %s %s of the code system %s is not evaluated here.", f.property, f.op, f.value, s.url)
}
