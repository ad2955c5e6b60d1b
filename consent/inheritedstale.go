package consent

import (
	"carerecord/consent/backlog"
	"carerecord/fhir/index"
	"carerecord/store"
)

// A document that is written while one that it follows from waits to be keyed is keyed
// from old keys itself. So the commit notes the name by which it follows: it is its
// source's alone, and is keyed again behind the other one. What follows it in turn, in
// the same commit or in a later one, is found here in the same way.

// noteInheritedStale notes the names by which documents of the batch follow from stale ones. It is
// to be called behind present.begin, and before the commit. Pages of the backlog need
// none of it: they come in an order.
func (g *Guard) noteInheritedStale(prepared *preparedCommit) {
	set := g.backlog.Stale()
	if len(prepared.pages) > 0 || set.Empty() {
		return
	}
	n := newStaleTracer(prepared)
	where := set.Where()
	meet := func(d *store.Doc) {
		if !d.Deleted() && d.Ref.Type != "Patient" && store.Match(where, d.Keys) {
			s := set.Matching(d.Keys)
			n.trace(d, s, s.Depth+1+len(prepared.Writes))
		}
	}
	for i := range prepared.sources {
		meet(&prepared.sources[i])
	}
	for i := range prepared.Writes {
		meet(&prepared.Writes[i].Doc)
	}
}

// staleTracer are the documents of a batch that follow from stale ones.
type staleTracer struct {
	*preparedCommit
	reasons    map[store.Ref]backlog.Entry // why a document is stale, as far as what follows it was told
	dependents map[string][]*store.Doc     // the documents of the batch by the names that they depend on
	binaries   map[string]*store.Doc       // those that are Binaries, by id
}

func newStaleTracer(prepared *preparedCommit) staleTracer {
	n := staleTracer{preparedCommit: prepared, reasons: map[store.Ref]backlog.Entry{}, dependents: map[string][]*store.Doc{}, binaries: map[string]*store.Doc{}}
	for i := range prepared.Writes {
		w := &prepared.Writes[i].Doc
		if w.Deleted() {
			continue
		}
		for _, name := range index.Names(w.Keys, index.DependsOnPrefix()) {
			n.dependents[name] = append(n.dependents[name], w)
		}
		if w.Ref.Type == "Binary" {
			n.binaries[w.Ref.ID] = w
		}
	}
	return n
}

// trace notes what follows from a stale document in the batch. s says why it is stale.
// Documents that follow from themselves end where they are deeper than any way that meets
// none twice.
func (n *staleTracer) trace(d *store.Doc, s backlog.Entry, deepest int) {
	was, met := n.reasons[d.Ref]
	s = s.Merge(was)
	if met && len(s.Subjects) == len(was.Subjects) && s.Barred == was.Barred && (s.Depth == was.Depth || s.Depth > deepest) {
		return
	}
	n.reasons[d.Ref] = s
	s.Depth++
	for _, w := range n.dependents[d.Ref.String()] {
		n.note(d.Ref.String(), s)
		n.trace(w, s, deepest)
	}
	for _, id := range index.Attached(d.Keys) {
		if w := n.binaries[id]; w != nil && w.Source == d.Source {
			n.note(backlog.AttachedPrefix+id, s)
			n.trace(w, s, deepest)
		}
	}
}

// note adds a stale name, whose turn comes behind that of what it follows.
func (n *staleTracer) note(name string, s backlog.Entry) {
	if n.followsStale == nil {
		n.followsStale = map[string]bool{}
	}
	n.followsStale[name] = true
	n.addStale(name, s)
}
