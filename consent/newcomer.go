package consent

import (
	"carerecord/fhir/index"
	"carerecord/store"
)

// A document that is written while one that it follows from waits to be keyed is keyed
// from old keys itself. So the commit notes the name by which it follows: it is its
// source's alone, and is keyed again behind the other one. What follows it in turn, in
// the same commit or in a later one, is found here in the same way.

// newcomers notes the names by which documents of the batch follow from stale ones. It is
// to be called behind present.depart, and before the commit. Pages of the backlog need
// none of it: they come in an order.
func (g *Guard) newcomers(l *landing) {
	set := g.backlog.now()
	if len(l.pages) > 0 || set.empty() {
		return
	}
	n := newNewcomers(l)
	where := set.where()
	meet := func(d *store.Doc) {
		if !d.Deleted() && d.Ref.Type != "Patient" && store.Match(where, d.Keys) {
			s := set.covering(d.Keys)
			n.follow(d, s, s.Depth+1+len(l.Writes))
		}
	}
	for i := range l.targets {
		meet(&l.targets[i])
	}
	for i := range l.Writes {
		meet(&l.Writes[i].Doc)
	}
}

// newcomers are the documents of a batch that follow from stale ones.
type newcomers struct {
	*landing
	said     map[store.Ref]staleName // why a document is stale, as far as what follows it was told
	waiting  map[string][]*store.Doc // the documents of the batch by the names that they depend on
	binaries map[string]*store.Doc   // those that are Binaries, by id
}

func newNewcomers(l *landing) newcomers {
	n := newcomers{landing: l, said: map[store.Ref]staleName{}, waiting: map[string][]*store.Doc{}, binaries: map[string]*store.Doc{}}
	for i := range l.Writes {
		w := &l.Writes[i].Doc
		if w.Deleted() {
			continue
		}
		for _, name := range names(w.Keys, index.DependsOnPrefix()) {
			n.waiting[name] = append(n.waiting[name], w)
		}
		if w.Ref.Type == "Binary" {
			n.binaries[w.Ref.ID] = w
		}
	}
	return n
}

// follow notes what follows from a stale document in the batch. s says why it is stale.
// Documents that follow from themselves end where they are deeper than any way that meets
// none twice.
func (n *newcomers) follow(d *store.Doc, s staleName, deepest int) {
	was, met := n.said[d.Ref]
	s = s.with(was)
	if met && len(s.Of) == len(was.Of) && s.Barred == was.Barred && (s.Depth == was.Depth || s.Depth > deepest) {
		return
	}
	n.said[d.Ref] = s
	s.Depth++
	for _, w := range n.waiting[d.Ref.String()] {
		n.note(d.Ref.String(), s)
		n.follow(w, s, deepest)
	}
	for _, id := range held(*d) {
		if w := n.binaries[id]; w != nil && w.Source == d.Source {
			n.note(attachedName+id, s)
			n.follow(w, s, deepest)
		}
	}
}

// note adds a stale name, whose turn comes behind that of what it follows.
func (n *newcomers) note(name string, s staleName) {
	if n.late == nil {
		n.late = map[string]bool{}
	}
	n.late[name] = true
	n.addStale(name, s)
}
