package atonce

import (
	"fmt"
	"slices"
	"strings"

	"carerecord/store"
)

// seen is a document that a reader was given.
type seen struct {
	ref          store.Ref
	content      content
	source       string // organisation that wrote it
	organisation string // the reader's
	from, to     uint64 // the reading began after from and ended before to
	settled      bool   // when it began, every document was keyed as it should be
}

// fault says which directive in force throughout a reading forbids what was seen; it is
// empty where none does. It says so only where the model is sure.
func (m *model) fault(s seen) string {
	steps := 1 // what follows from others by more waits until these are keyed
	if s.settled {
		steps = 5
	}
	for name, left := range m.whom(s.ref, s.content, s.source, s.from, s.to, steps) {
		denied, optedOut := m.refused(name, s.from, s.to, left > 0)
		if denied != "" {
			return fmt.Sprintf("%s denies what is about %s", denied, name)
		}
		if optedOut != "" && s.source != s.organisation && s.ref.Type != "Patient" {
			return fmt.Sprintf("%s opts %s out", optedOut, name)
		}
	}
	for _, name := range s.content.mentions {
		if m.mayBeDead(name, s.from, s.to) {
			continue // the register knows nothing of the numbers of a Patient who was deleted
		}
		if denied, _ := m.refused(name, s.from, s.to, true); denied != "" {
			return fmt.Sprintf("%s denies whoever %s is, and the document mentions them", denied, name)
		}
	}
	return ""
}

// whom are the names of those whom a document is about throughout a span, as far as they
// follow in some steps from one document to the next, with how many steps are left.
func (m *model) whom(ref store.Ref, c content, source string, from, to uint64, steps int) map[string]int {
	out := map[string]int{}
	for _, name := range c.subjects {
		out[name] = steps
	}
	if ref.Type == "Patient" {
		out[ref.ID] = steps
	}
	if steps == 0 {
		return out
	}
	follow := func(target store.Ref) {
		t, sure := m.one(target, from, to)
		if !sure {
			return
		}
		for name, left := range m.whom(target, t, sourceOf(target), from, to, steps-1) {
			out[name] = max(out[name], left)
		}
	}
	for _, target := range c.through {
		follow(target)
	}
	if ref.Type == "Binary" && !c.dead && len(c.through) == 0 {
		for _, doc := range m.documents("DocumentReference") {
			if d, sure := m.one(doc, from, to); sure && !d.dead && d.attaches == ref.ID && sourceOf(doc) == source {
				follow(doc)
			}
		}
	}
	return out
}

// sourceOf reads the organisation from an id, which begins with it.
func sourceOf(ref store.Ref) string {
	source, _, _ := strings.Cut(ref.ID, ".")
	return source
}

// refused names a denial or restriction, and an opt-out, that are in force throughout a
// span for whoever has a name. resolved says whether a number stands for its bearer too.
func (m *model) refused(name string, from, to uint64, resolved bool) (denied, optedOut string) {
	names := m.names(name, from, to, resolved)
	for _, ref := range m.documents("Consent") {
		states := m.possible(ref, from, to)
		if len(states) == 0 || slices.ContainsFunc(states, func(c content) bool { return !c.active }) || !slices.Contains(names, states[0].about) {
			continue
		}
		if optedOut = ref.String(); !slices.ContainsFunc(states, func(c content) bool { return !c.denial }) {
			denied = ref.String()
		}
	}
	for _, n := range names {
		ref := store.Ref{Type: "Patient", ID: n}
		states := m.possible(ref, from, to)
		if len(states) > 0 && !slices.ContainsFunc(states, func(c content) bool { return !c.restricted }) {
			denied = "the label of " + ref.String()
		}
	}
	return denied, optedOut
}

// names are those by which a directive covers whoever has a name: of a Patient also every
// number of any version; of a number also the one Patient who bears it, if that is sure.
func (m *model) names(name string, from, to uint64, resolved bool) []string {
	if number, is := strings.CutPrefix(name, "nhs:"); is {
		bearer := m.bearer(number, from, to)
		if bearer == "" || !resolved {
			return []string{name}
		}
		return append(m.names(bearer, from, to, true), name)
	}
	out := []string{name}
	for _, number := range m.bore(name, from) {
		out = append(out, "nhs:"+number)
	}
	return out
}

// bearer is the one live Patient who bears a number throughout a span; empty where there
// may be none or two.
func (m *model) bearer(number string, from, to uint64) string {
	found := ""
	for _, ref := range m.documents("Patient") {
		states := m.possible(ref, from, to)
		if len(states) == 0 && m.mayBear(ref, number, to) {
			return ""
		}
		if !slices.ContainsFunc(states, func(c content) bool { return !c.dead && slices.Contains(c.numbers, number) }) {
			continue
		}
		if found != "" || len(states) > 1 {
			return ""
		}
		found = ref.ID
	}
	return found
}

// mayBear reports whether a write that was begun before an instant gives a Patient a
// number.
func (m *model) mayBear(ref store.Ref, number string, before uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.docs[ref], func(w *written) bool { return w.begun < before && slices.Contains(w.numbers, number) })
}

// mayBeDead reports whether a Patient, by id, may have been deleted in a span.
func (m *model) mayBeDead(patient string, from, to uint64) bool {
	return slices.ContainsFunc(m.possible(store.Ref{Type: "Patient", ID: patient}, from, to), func(c content) bool { return c.dead })
}
