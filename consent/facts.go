package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// The named facts of a document. Each is a yes that a guard asks for; a
// document without it is hidden wherever the guard asks.
const (
	// factResolved: every patient whom the document is about is known and
	// there, or its type is about nobody.
	factResolved = "resolved"
	// factOrdinary: no label R, V, REDACTED, and no sensitivity label.
	factOrdinary = "ordinary"
	// factReleased: no label NOPAT.
	factReleased = "released"
	// factShared: no directive, nor a trace of one (CON-409).
	factShared = "shared"
	// factOptOut and factDirective: an active Consent, by what it asks for.
	factOptOut    = "directive-optout"
	factDirective = "directive-other"
	// factRestricted: a Patient with a restriction label.
	factRestricted = "restricted"
)

// nhsNumber is the identifier system of NHS numbers.
const nhsNumber = "https://fhir.nhs.uk/Id/nhs-number"

// described is a document's keys and where it stands, made anew from its body.
type described struct {
	keys []store.Key
	id   store.DocID
}

// world answers what is there, from a snapshot and the batch that is being
// made on top of it.
type world interface {
	// newest returns the newest version of a document, or store.ErrNotFound.
	newest(ctx context.Context, ref store.Ref) (store.Doc, error)
	// last returns the version that a tombstone, as newest returned it, ended.
	last(ctx context.Context, tombstone store.Doc) (store.Doc, error)
	// byNHS returns the ids of live Patients who bear an NHS number.
	byNHS(ctx context.Context, number string) ([]string, error)
	// holders returns the live documents that attach a Binary, by its id.
	holders(ctx context.Context, binary string) ([]store.Doc, error)
}

// row reads the body of a document.
func (g *Guard) row(d store.Doc) (index.Row, error) {
	row, err := g.index.Index(d.Ref.Type, d.Ref.ID, d.Updated, d.Body)
	if err != nil {
		return index.Row{}, fmt.Errorf("index %s: %w", d.Ref, err)
	}
	return row, nil
}

// describe makes the keys of a document: those of its body, which row are, and
// the facts.
func (g *Guard) describe(ctx context.Context, w world, d store.Doc, row index.Row) (described, error) {
	keys := append(slices.Clone(row.Keys), index.TypeKey(d.Ref.Type))
	if d.Source != "" {
		keys = append(keys, index.SourceKey(d.Source))
	}
	owners, wants, resolved, err := g.owners(ctx, w, d.Ref, row.Owners)
	if err != nil {
		return described{}, err
	}
	for _, p := range owners {
		keys = append(keys, index.OwnerKey(p))
	}
	for _, name := range wants {
		keys = append(keys, index.WantsKey(name))
	}
	mentions, waits, err := mentioned(ctx, w, row)
	if err != nil {
		return described{}, err
	}
	for _, name := range waits {
		keys = append(keys, index.WantsKey(name))
	}
	for _, p := range mentions {
		if !slices.Contains(owners, p) {
			keys = append(keys, index.MentionKey(p))
		}
	}
	keys = append(keys, g.named(d, row, resolved)...)
	if d.Ref.Type == "Binary" {
		if keys, err = g.led(ctx, w, d, row.Owners, keys); err != nil {
			return described{}, err
		}
	} else if !inheriting(d.Ref.Type) {
		for _, id := range row.Holds {
			keys = append(keys, index.HoldsKey(id))
		}
	}
	id := store.DocID{Place: index.Place(home(d.Ref, row.Owners)), Order: index.Order(row.Date, d.Ref.Type, d.Ref.ID)}
	if keys = withCommon(store.Sorted(keys), d.Source); apart(keys, id.Place) {
		keys = store.Sorted(append(keys, index.FactKey(factApart)))
	}
	return described{keys: keys, id: id}, nil
}

// withCommon returns sorted keys with those by which documents of every type are
// found about a patient. They say again what the facts among the keys say.
func withCommon(keys []store.Key, source string) []store.Key {
	owners := ownersOf(keys)
	ordinary := store.Match(fact(factOrdinary), keys)
	for _, p := range owners {
		if ordinary && source != "" {
			keys = append(keys, index.OwnKey(p, source))
		}
		if !ordinary || len(owners) > 1 {
			keys = append(keys, index.ApartKey(p))
		}
	}
	return store.Sorted(keys)
}

// home says with whom a document stands in the order of the store. It is read
// from the document alone, be the patient there or not: a feed reads its own
// rows back, and where they stand must not tell it who else has a record here.
// So it is the first patient whom the document names by reference, else by NHS
// number; what inherits its owners stands by its own address.
func home(self store.Ref, o index.Ownership) string {
	if patient := o.Home(); patient != "" {
		return patient
	}
	for _, id := range o.Identifiers {
		if id.System == nhsNumber {
			return "nhs:" + id.Value
		}
	}
	return self.String()
}

// mentioned returns the patients to whom a document refers without being about
// them, by literal reference or by NHS number, and the names of what would change
// that. A number that nobody bears is somebody, whom nobody is.
func mentioned(ctx context.Context, w world, row index.Row) (patients, wants []string, err error) {
	patients = slices.Clone(row.Mentions)
	for _, number := range row.Numbers {
		found, err := w.byNHS(ctx, number)
		if err != nil {
			return nil, nil, err
		}
		if len(found) != 1 {
			found = []string{"nhs:" + number}
		}
		patients, wants = append(patients, found...), append(wants, "nhs:"+number)
	}
	return patients, wants, nil
}

// named returns the named facts of a document.
func (g *Guard) named(d store.Doc, row index.Row, resolved bool) []store.Key {
	var keys []store.Key
	fact := func(name string, holds bool) {
		if holds {
			keys = append(keys, index.FactKey(name))
		}
	}
	labels := policy.LabelsOf(d.Body)
	directive := d.Ref.Type == "Consent" || slices.ContainsFunc(row.Owners.Through, func(r fhir.Ref) bool { return r.Type == "Consent" })
	fact(factResolved, resolved)
	fact(factOrdinary, !labels.Restricted && !labels.Sensitive)
	fact(factReleased, !labels.NoPatient)
	fact(factShared, !directive)
	if d.Ref.Type == "Consent" {
		kind := policy.Read(d.Body)
		fact(factOptOut, kind == policy.OptOut)
		fact(factDirective, kind == policy.Other)
	}
	fact(factRestricted, d.Ref.Type == "Patient" && (labels.Restricted || labels.Sensitive)) // CON-703
	return keys
}

// owners resolves the patients whom a document is about. wants are the names of
// what would change the answer when it arrives or goes: a Patient who is not
// there, an NHS number that no Patient bears, a resource that the owners are
// inherited from.
func (g *Guard) owners(ctx context.Context, w world, self store.Ref, o index.Ownership) (owners, wants []string, resolved bool, err error) {
	switch {
	case o.Rule == index.Unowned:
		return nil, nil, true, nil
	case o.Rule == index.Nobody:
		return nil, nil, false, nil
	}
	resolved = true
	for _, p := range o.Patients {
		there, err := g.live(ctx, w, self, store.Ref{Type: "Patient", ID: p})
		if err != nil {
			return nil, nil, false, err
		}
		if there {
			owners = append(owners, p)
		} else {
			wants, resolved = append(wants, "Patient/"+p), false
		}
	}
	for _, id := range o.Identifiers {
		if id.System != nhsNumber {
			resolved = false
			continue
		}
		wants = append(wants, "nhs:"+id.Value)
		found, err := w.byNHS(ctx, id.Value)
		if err != nil {
			return nil, nil, false, err
		}
		if len(found) == 1 {
			owners = append(owners, found[0])
		} else {
			resolved = false
		}
	}
	for _, ref := range o.Through {
		target := store.Ref{Type: ref.Type, ID: ref.ID}
		wants = append(wants, target.String())
		of, waits, ok, err := g.inherited(ctx, w, target)
		if err != nil {
			return nil, nil, false, err
		}
		owners, wants, resolved = append(owners, of...), append(wants, waits...), resolved && ok
	}
	slices.Sort(owners)
	owners = slices.Compact(owners)
	named := len(o.Patients) + len(o.Identifiers) + len(o.Through)
	return owners, wants, resolved && named > 0 && (!o.Unresolved || len(owners) > 0), nil
}

func (g *Guard) live(ctx context.Context, w world, self, ref store.Ref) (bool, error) {
	if self == ref {
		return true, nil
	}
	d, err := w.newest(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up owner: %w", err)
	}
	return !d.Dead(), nil
}

// inherited returns the owners of a document that another one points at, and the
// names of what would change them beside the document. It is false where the
// target is not there or is not resolved itself.
func (g *Guard) inherited(ctx context.Context, w world, ref store.Ref) (owners, wants []string, resolved bool, err error) {
	d, err := w.newest(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("look up owners of a target: %w", err)
	}
	if d.Dead() {
		owners, wants, err = g.ended(ctx, w, d)
		return owners, wants, false, err
	}
	return ownersOf(d.Keys), nil, store.Match(store.Eq{Key: index.FactKey(factResolved)}, d.Keys), nil
}

// graves is a world that is asked on the way through tombstones, which may name one
// another: each is asked once.
type graves struct {
	world
	met []store.Ref
}

// ended returns whom a tombstone is about: those whom its last version would be
// about now (docs/decisions/019), and the names of what would change that.
func (g *Guard) ended(ctx context.Context, w world, d store.Doc) (owners, wants []string, err error) {
	way, on := w.(graves)
	if !on {
		way.world = w
	}
	if slices.Contains(way.met, d.Ref) {
		return nil, nil, nil
	}
	way.met = append(slices.Clone(way.met), d.Ref)
	last, err := w.last(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	row, err := g.row(last)
	if err != nil {
		return nil, nil, err
	}
	// Not by its own address: a Patient who is dead is nobody.
	if owners, wants, _, err = g.owners(ctx, way, store.Ref{}, row.Owners); err != nil || d.Ref.Type != "Binary" {
		return owners, wants, err
	}
	keys, err := g.led(ctx, way, last, row.Owners, nil)
	keys = store.Sorted(keys)
	return append(owners, ownersOf(keys)...), append(wants, names(keys, index.WantsPrefix())...), err
}

// ownersOf reads the owners back from a document's keys.
func ownersOf(keys []store.Key) []string { return index.Owners(keys) }

// names returns what stands behind a prefix in a document's keys.
func names(keys []store.Key, prefix store.Key) []string { return index.Names(keys, prefix) }
