package consent

import (
	"carerecord/consent/backlog"
	"carerecord/fhir/index"
	"carerecord/store"
)

// A new document that depends on one in the backlog is keyed from outdated keys. So the commit adds an
// entry for it: only its source sees it, and it is rekeyed after the other one. Its own dependents, in the
// same or a later commit, are treated in the same way.

// noteInheritedStale adds entries for documents of the batch that depend on stale ones. It must be called
// after typeCatalog.begin and before the commit. Pages of the backlog do not need it: they are ordered
// by depth.
func (g *Guard) noteInheritedStale(prepared *preparedCommit) {
	set := g.backlog.Stale()
	if len(prepared.pages) > 0 || set.Empty() {
		return
	}
	n := newStaleTracer(prepared)
	where := set.Where()
	trace := func(d *store.Doc) {
		if !d.Deleted() && d.Ref.Type != "Patient" && store.Match(where, d.Keys) {
			s := set.Matching(d.Keys)
			n.trace(d, s, s.Depth+1+len(prepared.Writes))
		}
	}
	for i := range prepared.sources {
		trace(&prepared.sources[i])
	}
	for i := range prepared.Writes {
		trace(&prepared.Writes[i].Doc)
	}
}

// staleTracer finds the documents of a batch that depend on stale ones.
type staleTracer struct {
	*preparedCommit
	reasons    map[store.Ref]backlog.Entry // by document, the entry that its dependents got
	dependents map[string][]*store.Doc     // documents of the batch by the names on which they depend
	binaries   map[string]*store.Doc       // Binaries of the batch by id
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

// trace adds entries for the dependents of a stale document in the batch. s is the entry of the document.
// It ends in cycles: no path without repetition is longer than deepest.
func (n *staleTracer) trace(d *store.Doc, s backlog.Entry, deepest int) {
	was, known := n.reasons[d.Ref]
	s = s.Merge(was)
	if known && len(s.Subjects) == len(was.Subjects) && s.Barred == was.Barred && (s.Depth == was.Depth || s.Depth > deepest) {
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

// note adds an entry that is processed after the one it depends on.
func (n *staleTracer) note(name string, s backlog.Entry) {
	if n.followsStale == nil {
		n.followsStale = map[string]bool{}
	}
	n.followsStale[name] = true
	n.addStale(name, s)
}
