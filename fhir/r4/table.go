package r4

import (
	"iter"
	"strings"
)

// lines yields the lines of a table, its comment left out.
func lines(table string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.SplitSeq(table, "\n") {
			if line != "" && line[0] != '#' && !yield(line) {
				return
			}
		}
	}
}

// fields cuts a line at its tabs into n fields, empty ones where it ends early.
func fields(line string, n int) []string {
	f := strings.Split(line, "\t")
	for len(f) < n {
		f = append(f, "")
	}
	return f
}
