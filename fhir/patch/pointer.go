package patch

import (
	"strconv"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/edit"
)

// pointer is a JSON Pointer (RFC 6901), its tokens unescaped; empty for the whole document.
type pointer []string

// parsePointer returns false for text that is not a JSON Pointer.
func parsePointer(s string) (pointer, bool) {
	if s == "" {
		return nil, true
	}
	if s[0] != '/' {
		return nil, false
	}
	parts := strings.Split(s[1:], "/")
	for i, part := range parts {
		for j := 0; j < len(part); j++ {
			if part[j] == '~' && (j+1 == len(part) || part[j+1] != '0' && part[j+1] != '1') {
				return nil, false
			}
		}
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
	}
	return parts, true
}

// begins reports whether other is below p.
func (p pointer) begins(other pointer) bool {
	if len(p) >= len(other) {
		return false
	}
	for i := range p {
		if p[i] != other[i] {
			return false
		}
	}
	return true
}

// index reads a position in an array: digits without leading zeros.
func index(token string) (int, bool) {
	if token == "" || len(token) > 9 || token[0] == '0' && len(token) > 1 {
		return 0, false
	}
	for i := range len(token) {
		if token[i] < '0' || token[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(token)
	return n, err == nil
}

// target is a member or an item of holder.
type target struct {
	nodes []*edit.Node // from the root to the holder
	names []string     // the property name followed from each, empty for items
	at    int          // position in the holder; that of the end for a value to be added
	found bool
}

func (t target) holder() *edit.Node { return t.nodes[len(t.nodes)-1] }
func (t target) node() *edit.Node   { return t.holder().Items[t.at] }

// follow follows a pointer that is not empty. Only its last token may have no value: then the
// target is not found, and at is where it would be added.
func (d *doc) follow(p pointer, field string) (target, *fhir.Error) {
	t := target{}
	n := d.root
	for i, token := range p {
		name := ""
		switch n.Kind {
		case '{':
			name, t.at = token, n.Find(token)
			if t.found = t.at >= 0; !t.found {
				t.at = len(n.Items)
			}
		case '[':
			pos, ok := index(token)
			if token == "-" {
				pos, ok = len(n.Items), true
			}
			if !ok || pos > len(n.Items) {
				return t, at(fhir.Fault(422, "processing", "The array has %d entries: it has no position %s.", len(n.Items), fhir.Quoted(token)), field)
			}
			t.at, t.found = pos, pos < len(n.Items)
		default:
			return t, missing(p[:i+1], field)
		}
		t.nodes, t.names = append(t.nodes, n), append(t.names, name)
		if i == len(p)-1 {
			return t, nil
		}
		if !t.found {
			return t, missing(p[:i+1], field)
		}
		n = t.node()
	}
	return t, nil
}

func missing(p pointer, field string) *fhir.Error {
	e := fhir.Fault(422, "processing", "There is no value at %s.", fhir.Quoted("/"+strings.Join(p, "/")))
	return at(e, field)
}
