package consent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"carerecord/fhir/index"
	"carerecord/store"
)

// look finds out whether documents of the store depend on a name that the batch
// changes. If there are, they are keyed behind the commit, and until then they are
// their source's alone; if not, none may come before the commit. before is the document
// as it is stored.
func (c *commit) look(ctx context.Context, name string, s staleName, before store.Doc) error {
	if _, stale := c.stale[name]; stale {
		if !c.note(name, s) {
			return nil
		}
		return c.chain(ctx, name, s, before)
	}
	if looked := c.changed[name]; looked {
		return nil
	}
	looks := c.view.guard.types.wants(name)
	if c.changed[name] = looks; !looks {
		return nil
	}
	where := store.Eq{Key: index.CrossTypeDependsOnKey(name)}
	n, err := c.view.snap.Count(ctx, store.Query{Where: where, KeysOnly: true}, 1)
	if err != nil {
		return fmt.Errorf("look for what depends on a write: %w", err)
	}
	if n == 0 {
		c.reads.absent["depends "+name] = store.Absent{Where: where, Claims: []store.Key{where.Key}}
		return nil
	}
	if number, is := strings.CutPrefix(name, "nhs:"); is { // whom it stands for from now on
		bearers, err := c.bearers(ctx, number)
		if err != nil {
			return err
		}
		s.Of = append(s.Of, bearers...)
	}
	c.note(name, s)
	return c.chain(ctx, name, s, before)
}

// note adds a stale name, and reports whether that says anything new to what follows.
func (c *commit) note(name string, s staleName) bool {
	was, there := c.stale[name]
	now := s.with(was)
	c.stale[name] = now
	return !there || len(now.Of) > len(was.Of) || now.Barred != was.Barred || now.Depth > was.Depth
}

// staleBy is a name that a document of the batch changes.
func (c *commit) staleBy(d store.Doc) staleName {
	return staleName{Of: subjects(d), Barred: store.Match(either(fact(factBarred), fact(factRestricted)), d.Keys), Depth: c.depth}
}

// subjects are the names of those whom documents may be about that follow from one.
func subjects(d store.Doc) []string {
	if d.Ref.Type == "Patient" {
		return []string{d.Ref.ID}
	}
	return persons(d.Keys)
}

// chainMost bounds how many documents are noted for what follows a change through others,
// and chainLooks how often one is looked at: on each way that leads to it.
const (
	chainMost  = 200
	chainLooks = 1000
)

// chain notes the documents that depend on a stale one, and on these, as stale too: what
// follows them is to be its source's alone from the commit on, not only when they are
// keyed. What follows a person has the person's name, and needs none of this. Where there
// are very many, the name says instead what all of them have in common (rest).
func (c *commit) chain(ctx context.Context, name string, s staleName, before store.Doc) error {
	if !ofDocument(name) {
		return nil
	}
	met, looked, from := map[string]bool{name: true}, 0, c.stale[name].Depth
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		s.Depth = c.stale[queue[0]].Depth + 1
		for d, err := range c.view.snap.Scan(ctx, store.Query{Where: store.Eq{Key: index.CrossTypeDependsOnKey(queue[0])}, KeysOnly: true}) {
			if err != nil {
				return fmt.Errorf("look for what follows a write: %w", err)
			}
			looked += 1 + len(held(d))
			if met[d.Ref.String()] = true; len(met) > chainMost || looked > chainLooks {
				s := c.stale[name]
				s.Rest = s.Rest.with(c.restOf(name, before))
				c.stale[name] = s
				return nil
			}
			next, err := c.following(ctx, d, s, from+len(met))
			if err != nil {
				return err
			}
			queue = append(queue, next...)
		}
	}
	return nil
}

// following notes what follows from a stale document, and returns the names of which
// that is news. deepest is the depth that a way has at most which meets no document twice:
// documents that follow from themselves end there.
func (c *commit) following(ctx context.Context, d store.Doc, s staleName, deepest int) (names []string, err error) {
	next := []string{d.Ref.String()}
	for _, id := range held(d) {
		attached, err := c.attaches(ctx, d, id)
		if err != nil {
			return nil, err
		}
		if attached {
			c.note(attachedName+id, s)
			next = append(next, "Binary/"+id)
		}
	}
	return slices.DeleteFunc(next, func(name string) bool { // noted also where nothing depends on it yet: it may come
		return s.Depth > deepest || !c.note(name, s) || !c.view.guard.types.wants(name)
	}), nil
}

// ofDocument reports whether a name on which documents depend is the address of one
// that they inherit from.
func ofDocument(name string) bool {
	return !strings.HasPrefix(name, "nhs:") && !strings.HasPrefix(name, "Patient/")
}

// rest is what all documents have in common that follow from a stale name through others,
// where not all of these are noted. A document is about everybody whom the one is about
// that it follows from, and is not resolved where that one is not there.
type rest struct {
	Of         []string `json:"of,omitempty"`         // persons, by name: one of them
	Unresolved bool     `json:"unresolved,omitempty"` // or not resolved
	Any        bool     `json:"any,omitempty"`        // or nothing
}

// restOf is what follows from a document under the keys that it has in the store.
func (c *commit) restOf(name string, before store.Doc) *rest {
	of := persons(before.Keys)
	_, pending := c.view.guard.backlog.get(name)
	switch {
	case pending: // some of what follows does so from older keys
	case before.Version == 0 || before.Deleted():
		return &rest{Unresolved: true}
	case len(of) > 0:
		return &rest{Of: of[:1]}
	}
	return &rest{Any: true}
}

// with is what documents have of which some have the one in common and some the other.
func (r *rest) with(o *rest) *rest {
	if r == nil || o == nil {
		return cmp.Or(r, o)
	}
	return &rest{Of: distinctNames(r.Of, o.Of), Unresolved: r.Unresolved || o.Unresolved, Any: r.Any || o.Any}
}

// where is what such documents satisfy: they depend on a document, or are Binaries.
func (r *rest) where() store.Pred {
	some := store.Or{}
	if r.Any {
		some = append(some, everything)
	}
	if r.Unresolved {
		some = append(some, none(fact(factResolved)))
	}
	if len(r.Of) > 0 {
		some = append(some, owned(ids(func(name string) bool { _, is := slices.BinarySearch(r.Of, name); return is })))
	}
	return all(either(store.In{Prefix: index.DependsOnPrefix(), Set: ids(ofDocument)}, store.Eq{Key: index.TypeKey("Binary")}), some)
}
