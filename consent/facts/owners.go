package facts

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

// ownership is the resolved ownership of a document.
type ownership struct {
	owners []string // ids of live Patients, sorted and distinct
	// about are the names (index.AboutKey) of persons whom it names other than by the id of a
	// live Patient, sorted and distinct.
	about []string
	// dependsOn are the names on which the result depends: a missing Patient, an NHS number, a
	// document that owners are inherited from.
	dependsOn []string
	resolved  bool // every person whom it is about is a live Patient
	barred    bool // one of the persons was restricted when deleted
}

// add adds the owners of another document.
func (o *ownership) add(of ownership) {
	o.owners, o.about, o.dependsOn = append(o.owners, of.owners...), append(o.about, of.about...), append(o.dependsOn, of.dependsOn...)
	o.barred = o.barred || of.barred
}

// appendKeys appends the keys of the owners and names.
func (o *ownership) appendKeys(keys []store.Key) []store.Key {
	for _, p := range o.owners {
		keys = append(keys, index.OwnerKey(p))
	}
	for _, name := range o.about {
		keys = append(keys, index.AboutKey(name))
	}
	for _, name := range o.dependsOn {
		keys = append(keys, index.DependsOnKey(name))
	}
	return keys
}

// owners resolves the patients whom a document is about.
func (k *Keyer) owners(ctx context.Context, reader Reader, self store.Ref, o index.Ownership) (ownership, error) {
	switch {
	case o.Rule == index.Unowned:
		return ownership{resolved: true}, nil
	case o.Rule == index.NoRule:
		return ownership{}, nil
	}
	out := ownership{resolved: true}
	for _, p := range o.Patients {
		of, err := k.ownerByID(ctx, reader, self, store.Ref{Type: "Patient", ID: p})
		if err != nil {
			return ownership{}, err
		}
		out.add(of)
		out.resolved = out.resolved && of.resolved
	}
	for _, id := range o.Identifiers {
		of, err := k.ownerByIdentifier(ctx, reader, id)
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
		of, err := k.inheritOwners(ctx, reader, target)
		if err != nil {
			return ownership{}, err
		}
		of.dependsOn = append(of.dependsOn, target.String())
		out.add(of)
		out.resolved = out.resolved && of.resolved
	}
	slices.Sort(out.owners)
	out.owners = slices.Compact(out.owners)
	slices.Sort(out.about)
	out.about = slices.Compact(out.about)
	named := len(o.Patients) + len(o.Identifiers) + len(o.InheritFrom)
	// Without an owner it is resolved only if it may be about nobody and all its sources
	// are: a Slot of a Practitioner's Schedule.
	nobody := o.Optional && len(o.Identifiers) == 0
	out.resolved = out.resolved && !o.Unsettled && named > 0 && (!o.Unresolved || nobody || len(out.owners) > 0)
	return out, nil
}

// ownerByID resolves an owner that is named by the id of a Patient. Directives about the identifiers
// that a deleted Patient had still apply.
func (k *Keyer) ownerByID(ctx context.Context, reader Reader, self, ref store.Ref) (ownership, error) {
	if self == ref {
		return ownership{owners: []string{ref.ID}, resolved: true}, nil
	}
	d, err := reader.Newest(ctx, ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return ownership{}, fmt.Errorf("look up owner: %w", err)
	}
	if err == nil && !d.Deleted() {
		return ownership{owners: []string{ref.ID}, resolved: true}, nil
	}
	out := ownership{about: []string{ref.ID}, dependsOn: []string{ref.String()}}
	//law:dead-patient
	if err == nil {
		out.about = append(out.about, index.Names(d.Keys, index.BearsPrefix())...)
		out.barred = Has(d.Keys, index.FactRestricted)
	}
	return out, nil
}

// ownerByIdentifier resolves an owner that is named by an identifier: an NHS number that exactly one
// Patient has.
func (k *Keyer) ownerByIdentifier(ctx context.Context, reader Reader, id index.Identifier) (ownership, error) {
	name := IdentifierName(id.System, id.Value)
	out := ownership{about: append(aliases(id.System, id.Value), name)}
	number, ok := strings.CutPrefix(name, "nhs:")
	if !ok || id.System != nhsNumber { // a misspelt system resolves nobody
		return out, nil
	}
	out.dependsOn = []string{name}
	found, err := reader.PatientsByNumber(ctx, number)
	if err == nil && len(found) == 1 {
		out.owners, out.resolved = found, true
	}
	return out, err
}

// inheritOwners returns the owners of another document, and the names on which they depend in addition
// to that document. They are not resolved where that document is missing or not resolved.
func (k *Keyer) inheritOwners(ctx context.Context, reader Reader, ref store.Ref) (ownership, error) {
	d, err := reader.Newest(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return ownership{}, nil
	}
	if err != nil {
		return ownership{}, fmt.Errorf("look up owners of a target: %w", err)
	}
	if d.Deleted() {
		out, err := k.ownersOfTombstone(ctx, reader, d)
		out.resolved = false
		return out, err
	}
	return ownership{
		owners: index.Owners(d.Keys), about: index.Names(d.Keys, index.AboutPrefix()),
		resolved: Has(d.Keys, index.FactResolved), barred: Has(d.Keys, index.FactBarred),
	}, nil
}

// visitedOnce is a Reader for tombstones that refer to each other: each is visited once.
type visitedOnce struct {
	Reader
	visited []store.Ref
}

// ownersOfTombstone returns the owners that the last version of a deleted document would have now
// (docs/decisions/019), and the names on which they depend.
func (k *Keyer) ownersOfTombstone(ctx context.Context, reader Reader, d store.Doc) (ownership, error) {
	once, nested := reader.(visitedOnce)
	if !nested {
		once.Reader = reader
	}
	if slices.Contains(once.visited, d.Ref) {
		return ownership{}, nil
	}
	once.visited = append(slices.Clone(once.visited), d.Ref)
	last, err := reader.BeforeDeletion(ctx, d)
	if err != nil {
		return ownership{}, err
	}
	row, err := k.Extract(last)
	if err != nil {
		return ownership{}, err
	}
	// Without its own address: a deleted Patient owns nothing.
	out, err := k.owners(ctx, once, store.Ref{}, row.Owners)
	if err != nil || d.Ref.Type != "Binary" {
		return out, err
	}
	keys, err := k.inheritFromParents(ctx, once, last, row.Owners, nil)
	keys = store.Sorted(keys)
	out.add(ownership{owners: index.Owners(keys), about: index.Names(keys, index.AboutPrefix()), dependsOn: index.Names(keys, index.DependsOnPrefix())})
	return out, err
}
