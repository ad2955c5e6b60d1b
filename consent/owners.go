package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// ownership says whom a document is about, as found in a world.
type ownership struct {
	owners []string // ids of live Patients, sorted and distinct
	// about are the names (index.AboutKey) of those whom it names by something else
	// than the id of a live Patient, sorted and distinct.
	about []string
	// wants are the names of what would change the answer when it arrives or goes: a
	// Patient who is not there, an NHS number, a resource that owners are inherited
	// from.
	wants    []string
	resolved bool // every patient whom it is about is known and there
	barred   bool // one of them was restricted when deleted
}

// add takes in the owners of another document.
func (o *ownership) add(of ownership) {
	o.owners, o.about, o.wants = append(o.owners, of.owners...), append(o.about, of.about...), append(o.wants, of.wants...)
	o.barred = o.barred || of.barred
}

// keys appends the keys of the owners and of the names.
func (o *ownership) keys(keys []store.Key) []store.Key {
	for _, p := range o.owners {
		keys = append(keys, index.OwnerKey(p))
	}
	for _, name := range o.about {
		keys = append(keys, index.AboutKey(name))
	}
	for _, name := range o.wants {
		keys = append(keys, index.DependsOnKey(name))
	}
	return keys
}

// owners resolves the patients whom a document is about.
func (g *Guard) owners(ctx context.Context, w world, self store.Ref, o index.Ownership) (ownership, error) {
	switch {
	case o.Rule == index.Unowned:
		return ownership{resolved: true}, nil
	case o.Rule == index.NoRule:
		return ownership{}, nil
	}
	out := ownership{resolved: true}
	for _, p := range o.Patients {
		of, err := g.patient(ctx, w, self, store.Ref{Type: "Patient", ID: p})
		if err != nil {
			return ownership{}, err
		}
		out.add(of)
		out.resolved = out.resolved && of.resolved
	}
	for _, id := range o.Identifiers {
		of, err := g.identified(ctx, w, id)
		if err != nil {
			return ownership{}, err
		}
		out.add(of)
		out.resolved = out.resolved && of.resolved
	}
	for _, url := range o.Foreign {
		out.about = append(append(out.about, "url:"+url), policy.NamesInLiteral(url)...)
	}
	for _, ref := range o.InheritFrom {
		target := store.Ref{Type: ref.Type, ID: ref.ID}
		of, err := g.inherited(ctx, w, target)
		if err != nil {
			return ownership{}, err
		}
		of.wants = append(of.wants, target.String())
		out.add(of)
		out.resolved = out.resolved && of.resolved
	}
	slices.Sort(out.owners)
	out.owners = slices.Compact(out.owners)
	slices.Sort(out.about)
	out.about = slices.Compact(out.about)
	named := len(o.Patients) + len(o.Identifiers) + len(o.InheritFrom)
	// What may be about nobody is, where all that it follows is about nobody: a Slot of
	// a Practitioner's Schedule.
	nobody := o.Optional && len(o.Identifiers) == 0
	out.resolved = out.resolved && !o.Unsettled && named > 0 && (!o.Unresolved || nobody || len(out.owners) > 0)
	return out, nil
}

// patient resolves an owner that is named by the id of a Patient. One who was
// deleted is still covered by the directives about the identifiers that the Patient
// bore.
func (g *Guard) patient(ctx context.Context, w world, self, ref store.Ref) (ownership, error) {
	if self == ref {
		return ownership{owners: []string{ref.ID}, resolved: true}, nil
	}
	d, err := w.newest(ctx, ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return ownership{}, fmt.Errorf("look up owner: %w", err)
	}
	if err == nil && !d.Deleted() {
		return ownership{owners: []string{ref.ID}, resolved: true}, nil
	}
	out := ownership{about: []string{ref.ID}, wants: []string{ref.String()}}
	//law:dead-patient
	if err == nil {
		out.about = append(out.about, names(d.Keys, index.BearsPrefix())...)
		out.barred = store.Match(fact(factRestricted), d.Keys)
	}
	return out, nil
}

// identified resolves an owner that is named by an identifier: an NHS number that
// exactly one Patient bears.
func (g *Guard) identified(ctx context.Context, w world, id index.Identifier) (ownership, error) {
	name := identifierName(id.System, id.Value)
	out := ownership{about: append(aliases(id.System, id.Value), name)}
	number, ok := strings.CutPrefix(name, "nhs:")
	if !ok || id.System != nhsNumber { // a likely spelling of the system resolves nobody
		return out, nil
	}
	out.wants = []string{name}
	found, err := w.bearers(ctx, number)
	if err == nil && len(found) == 1 {
		out.owners, out.resolved = found, true
	}
	return out, err
}

// inherited returns the owners of a document that another one points at, and the
// names of what would change them beside the document. They are not resolved where
// the target is not there or is not resolved itself.
func (g *Guard) inherited(ctx context.Context, w world, ref store.Ref) (ownership, error) {
	d, err := w.newest(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return ownership{}, nil
	}
	if err != nil {
		return ownership{}, fmt.Errorf("look up owners of a target: %w", err)
	}
	if d.Deleted() {
		out, err := g.ended(ctx, w, d)
		out.resolved = false
		return out, err
	}
	return ownership{
		owners: ownersOf(d.Keys), about: names(d.Keys, index.AboutPrefix()),
		resolved: store.Match(fact(factResolved), d.Keys), barred: store.Match(fact(factBarred), d.Keys),
	}, nil
}

// visited is a world that is asked on the way through tombstones, which may name one
// another: each is asked once.
type visited struct {
	world
	met []store.Ref
}

// ended returns whom a tombstone is about: those whom its last version would be
// about now (docs/decisions/019), and the names of what would change that.
func (g *Guard) ended(ctx context.Context, w world, d store.Doc) (ownership, error) {
	way, on := w.(visited)
	if !on {
		way.world = w
	}
	if slices.Contains(way.met, d.Ref) {
		return ownership{}, nil
	}
	way.met = append(slices.Clone(way.met), d.Ref)
	last, err := w.last(ctx, d)
	if err != nil {
		return ownership{}, err
	}
	row, err := g.row(last)
	if err != nil {
		return ownership{}, err
	}
	// Not by its own address: a Patient who is dead is nobody.
	out, err := g.owners(ctx, way, store.Ref{}, row.Owners)
	if err != nil || d.Ref.Type != "Binary" {
		return out, err
	}
	keys, err := g.led(ctx, way, last, row.Owners, nil)
	keys = store.Sorted(keys)
	out.add(ownership{owners: ownersOf(keys), about: names(keys, index.AboutPrefix()), wants: names(keys, index.DependsOnPrefix())})
	return out, err
}
