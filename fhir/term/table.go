package term

import (
	_ "embed"
	"iter"
	"strings"
	"sync"
)

var (
	//go:embed systems_gen.tsv
	systemTable string
	//go:embed sets_gen.tsv
	setTable string
)

// section is the part of a table about one address.
type section struct {
	version, extra string
	lines          string
}

var (
	systemSections = sync.OnceValue(func() map[string]section { return sections(systemTable) })
	setSections    = sync.OnceValue(func() map[string]section { return sections(setTable) })
)

// sections splits a table at its headings.
func sections(table string) map[string]section {
	all := map[string]section{}
	_, table, _ = strings.Cut(table, "\n= ")
	for part := range strings.SplitSeq(table, "\n= ") {
		head, lines, _ := strings.Cut(part, "\n")
		url, head, _ := strings.Cut(head, "\t")
		version, extra, _ := strings.Cut(head, "\t")
		all[url] = section{version, extra, lines}
	}
	return all
}

// each yields the lines of a section.
func (s section) each() iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.SplitSeq(s.lines, "\n") {
			if line != "" && !yield(line) {
				return
			}
		}
	}
}

// find returns the section of a canonical address, if it has the requested
// version.
func find(all map[string]section, url, version string) (section, bool) {
	s, ok := all[url]
	return s, ok && (version == "" || version == s.version)
}

// standardSystem reads a code system of the standard; nil for none.
func standardSystem(url, version string) *system {
	sec, ok := find(systemSections(), url, version)
	if !ok {
		return nil
	}
	s := newSystem(url, sec.extra == "flat")
	var above []string // the codes that the next line is nested in
	type more struct{ parent, child string }
	var extra []more
	for line := range sec.each() {
		code := strings.TrimLeft(line, "\t")
		level := len(line) - len(code) - 1
		code, children, _ := strings.Cut(code, "\t")
		parent := ""
		if above = above[:level]; level > 0 {
			parent = above[level-1]
		}
		s.add(code, parent)
		above = append(above, code)
		for children != "" {
			var child string
			child, children, _ = strings.Cut(children, "\t")
			extra = append(extra, more{code, child})
		}
	}
	for _, m := range extra {
		s.link(m.parent, m.child)
	}
	return s
}

// standardSet returns the compose of a value set of the standard; nil if there is none.
func standardSet(url, version string) *compose {
	sec, ok := find(setSections(), url, version)
	if !ok {
		return nil
	}
	c := &compose{}
	for line := range sec.each() {
		f := strings.Split(line, "\t")
		var in clause
		if len(f) > 1 {
			in.system = f[1]
		}
		if len(f) > 2 {
			in.version = f[2]
		}
		for _, word := range f[min(3, len(f)):] {
			switch word[0] {
			case 'c':
				in.codes = append(in.codes, word[1:])
			case 'v':
				in.sets = append(in.sets, word[1:])
			case 'f':
				parts := append(strings.SplitN(word[1:], " ", 3), "", "")
				in.filters = append(in.filters, filter{parts[0], parts[1], parts[2]})
			}
		}
		if f[0] == "-" {
			c.exclude = append(c.exclude, in)
		} else {
			c.include = append(c.include, in)
		}
	}
	return c
}
