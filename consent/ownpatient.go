package consent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// ownRecordOf is the person to whom a token is bound: the patient who signed in, or the patient in context of staff. It is for the goroutine of one request.
type ownRecordOf struct {
	person string      // person key; empty if the record is not available to the token
	group  []string    // the person keys that act as one with it (IDN-134)
	keys   []store.Key // of the Patient in context
	ids    map[string]bool
	isOwn  func(patient string) bool // reads a Patient
}

// newOwnRecord reads the Patient in context. The token sees nothing if the Patient is no longer of the person for
// whom the token was issued (IDN-131).
func (g *Guard) newOwnRecord(ctx context.Context, snap store.Snapshot, patient, person string, failed *error) (*ownRecordOf, error) {
	o := &ownRecordOf{ids: map[string]bool{}}
	d, err := snap.Get(ctx, store.Ref{Type: "Patient", ID: patient})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("read the own Patient: %w", err)
	}
	if err != nil || d.Deleted() {
		return o, nil
	}
	group, err := g.groupOf(ctx, snap, personKey(d))
	if err != nil || person != "" && !slices.Contains(group, person) {
		return o, err
	}
	o.person, o.keys, o.group = personKey(d), d.Keys, group
	o.isOwn = func(patient string) bool {
		own, known := o.ids[patient]
		if !known {
			d, err := snap.Get(ctx, store.Ref{Type: "Patient", ID: patient})
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				*failed = cmp.Or(*failed, err)
			}
			own = err == nil && !d.Deleted() && slices.Contains(o.group, personKey(d))
			o.ids[patient] = own
		}
		return own
	}
	return o, nil
}

// others is the set of names of other people, as mentions have them. A name of the own person is its person key, a
// Patient of it, or an identifier of the Patient in context.
func (o *ownRecordOf) others() store.Set {
	return facts.SetFunc(func(name string) bool {
		switch {
		case slices.Contains(o.group, name) || store.Match(store.Eq{Key: index.BearsKey(name)}, o.keys):
			return false
		case facts.IsIdentifierName(name):
			return true
		}
		return !o.isOwn(name)
	})
}
