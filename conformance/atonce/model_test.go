package atonce

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"carerecord/store"
)

// content is the content of one version of a document, as far as the model knows it.
type content struct {
	dead bool

	// Of a Consent: whom it is about, by id or as nhs: and a number; what it asks for.
	about          string
	active, denial bool

	// Of a Patient.
	numbers    []string
	restricted bool
	born, link string // birth date; of the patient index, the type of its link to the other Patient. Empty for none

	// Of every other document: whom it is about by itself, whom it mentions, the
	// documents whose patients are its own, the Binary that it attaches.
	subjects, mentions []string
	through            []store.Ref
	attaches           string
}

// written is one write. Its instants are ticks of the model.
type written struct {
	content
	begun, acknowledged uint64 // acknowledged 0: nobody can say yet
	version             uint64
}

// model knows which writes were begun and acknowledged, and from that which versions of
// a document may be the current one at an instant. It knows nothing of how the product
// works that out. It is safe for concurrent use.
type model struct {
	mu     sync.Mutex
	tick   uint64
	docs   map[store.Ref][]*written
	serial []content // by the number that each body has
}

func newModel() *model { return &model{docs: map[store.Ref][]*written{}} }

// now is a new instant.
func (m *model) now() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tick++
	return m.tick
}

// number gives a body its number.
func (m *model) number(c content) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.serial = append(m.serial, c)
	return len(m.serial) - 1
}

func (m *model) numbered(n int) content {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.serial[n]
}

// begin notes a write before it is made.
func (m *model) begin(ref store.Ref, c content) *written {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tick++
	w := &written{content: c, begun: m.tick}
	m.docs[ref] = append(m.docs[ref], w)
	return w
}

// acknowledge notes that a write made a version.
func (m *model) acknowledge(w *written, version uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tick++
	w.acknowledged, w.version = m.tick, version
}

// void takes back a write that made none.
func (m *model) void(ref store.Ref, w *written) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.docs[ref] = slices.DeleteFunc(m.docs[ref], func(o *written) bool { return o == w })
}

// documents are the addresses of a type that were written to.
func (m *model) documents(typ string) []store.Ref {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Ref
	for ref := range m.docs {
		if ref.Type == typ {
			out = append(out, ref)
		}
	}
	return out
}

// possible returns the versions that may be current in a span: the newest that was acknowledged before it,
// and those that may have been written in it. It returns none if the document may not exist at the beginning
// of the span. A deleted document keeps its last content.
func (m *model) possible(ref store.Ref, from, to uint64) []content {
	m.mu.Lock()
	defer m.mu.Unlock()
	var stood *written
	var out []content
	for _, w := range m.docs[ref] {
		if w.acknowledged > 0 && w.acknowledged < from && (stood == nil || w.version > stood.version) {
			stood = w
		}
	}
	if stood == nil {
		return nil
	}
	for _, w := range m.docs[ref] {
		if w == stood || w.begun < to && (w.acknowledged == 0 || w.acknowledged >= from && w.version > stood.version) {
			out = append(out, m.contentOf(ref, w))
		}
	}
	return out
}

// contentOf returns the content of a version. mu must be held.
func (m *model) contentOf(ref store.Ref, w *written) content {
	if !w.dead {
		return w.content
	}
	for _, o := range m.docs[ref] {
		if w.version > 0 && o.version == w.version-1 {
			c := o.content
			c.dead = true
			return c
		}
	}
	return content{dead: true}
}

// one is the version that was the current one throughout a span.
func (m *model) one(ref store.Ref, from, to uint64) (content, bool) {
	p := m.possible(ref, from, to)
	if len(p) != 1 {
		return content{}, false
	}
	return p[0], true
}

// numbersEver returns the numbers of a Patient in any version that was acknowledged before an instant.
func (m *model) numbersEver(patient string, before uint64) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, w := range m.docs[store.Ref{Type: "Patient", ID: patient}] {
		if w.acknowledged > 0 && w.acknowledged < before {
			out = append(out, w.numbers...)
		}
	}
	return out
}

// history describes the writes of a document and their instants.
func (m *model) history(ref store.Ref) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, w := range m.docs[ref] {
		fmt.Fprintf(&b, "\n\t%s version %d from %d to %d: %s", ref, w.version, w.begun, w.acknowledged, w.content)
	}
	return b.String()
}

// String returns the members that are not empty.
func (c content) String() string {
	out := fmt.Sprintf("%+v", struct {
		numbers, subjects, mentions []string
		through                     []store.Ref
	}{c.numbers, c.subjects, c.mentions, c.through})
	for name, is := range map[string]bool{"dead": c.dead, "active": c.active, "denial": c.denial, "restricted": c.restricted} {
		if is {
			out += " " + name
		}
	}
	return out + " " + c.about + c.attaches
}

// people describes the writes of Consents, Patients and some other documents, and of the documents that these
// name.
func (m *model) people(others ...store.Ref) string {
	var b strings.Builder
	for len(others) > 0 {
		ref := others[0]
		others = others[1:]
		if text := m.history(ref); !strings.Contains(b.String(), text) {
			b.WriteString(text)
			for _, w := range m.docs[ref] {
				others = append(others, w.through...)
			}
		}
	}
	for _, typ := range []string{"Consent", "Patient"} {
		for _, ref := range m.documents(typ) {
			b.WriteString(m.history(ref))
		}
	}
	return b.String()
}
