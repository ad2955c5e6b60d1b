package consent

import (
	"slices"

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
	n := newcomers{landing: l, met: map[store.Ref]bool{}}
	where := set.where()
	meet := func(d *store.Doc) {
		if !d.Dead() && d.Ref.Type != "Patient" && store.Match(where, d.Keys) {
			n.follow(d, set.covering(d.Keys))
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
	met map[store.Ref]bool
}

// follow notes what follows from a stale document in the batch. s says why it is stale.
func (n *newcomers) follow(d *store.Doc, s staleName) {
	if n.met[d.Ref] {
		return
	}
	n.met[d.Ref] = true
	s.Depth++
	name, attached := d.Ref.String(), held(*d)
	for i := range n.Writes {
		w := &n.Writes[i].Doc
		if w.Dead() {
			continue
		}
		if store.Match(store.Eq{Key: index.WantsKey(name)}, w.Keys) {
			n.note(name, s)
			n.follow(w, s)
		}
		if w.Ref.Type == "Binary" && w.Source == d.Source && slices.Contains(attached, w.Ref.ID) {
			n.note(attachedName+w.Ref.ID, s)
			n.follow(w, s)
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
