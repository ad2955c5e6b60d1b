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

// violation names a directive that is in force throughout a reading and forbids a version that was seen, or
// returns "". It reports only certain violations.
func (m *model) violation(s seen) string {
	steps := 1 // more steps wait until the documents between are rekeyed
	if s.settled {
		steps = 5
	}
	for name, left := range m.ownersThroughout(s.ref, s.content, s.source, s.from, s.to, steps) {
		denied, optedOut := m.refused(name, s.from, s.to, left > 0)
		if denied != "" {
			return fmt.Sprintf("%s denies documents about %s", denied, name)
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
			return fmt.Sprintf("%s denies %s, and the document mentions them", denied, name)
		}
	}
	return ""
}

// ownersThroughout returns the names of the owners of a document throughout a span, followed through other
// documents for some steps, with the number of steps left.
func (m *model) ownersThroughout(ref store.Ref, c content, source string, from, to uint64, steps int) map[string]int {
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
		for name, left := range m.ownersThroughout(target, t, sourceOf(target), from, to, steps-1) {
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

// refused returns a denial or restriction, and an opt-out, that are in force for a name throughout a span.
// resolved reports whether a number also means the Patient who has it.
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

// names returns the names by which a directive covers a name: for a Patient also every number of any version;
// for a number also the one Patient who has it, if that is certain.
func (m *model) names(name string, from, to uint64, resolved bool) []string {
	if number, is := strings.CutPrefix(name, "nhs:"); is {
		bearer := m.bearer(number, from, to)
		if bearer == "" || !resolved {
			return []string{name}
		}
		return append(m.names(bearer, from, to, true), name)
	}
	out := []string{name}
	for _, number := range m.numbersEver(name, from) {
		out = append(out, "nhs:"+number)
	}
	return out
}

// bearer returns the one live Patient who has a number throughout a span, or "" if there may be none or two.
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
