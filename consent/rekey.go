package consent

import (
	"context"
	"fmt"
	"slices"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// describeAll stamps and keys every document of the batch: Patients first,
// since others ask whether they are there, and those that inherit owners last.
// Then it keys anew what stood in the store and looks different now.
func (c *commit) describeAll(ctx context.Context) error {
	rank := func(ref store.Ref) int {
		switch ref.Type {
		case "Patient":
			return 0
		case "Provenance", "List", "Group", "Linkage", "AuditEvent", "Binary":
			return 2
		}
		return 1
	}
	refs := slices.Clone(c.order)
	slices.SortStableFunc(refs, func(a, b store.Ref) int { return rank(a) - rank(b) })
	for _, ref := range refs {
		if err := c.describe(ctx, c.pending[ref]); err != nil {
			return err
		}
	}
	for _, ref := range refs {
		if err := c.ripple(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) describe(ctx context.Context, w *store.Write) error {
	if w.Doc.Dead() {
		before := c.before[w.Doc.Ref]
		w.Doc.Keys, w.Doc.ID = before.Keys, before.ID
		return nil
	}
	w.Doc.Body = fhir.Stamp(w.Doc.Body, w.Doc.Ref.ID, w.Doc.Version, w.Doc.Updated)
	made, err := c.view.guard.describe(ctx, c, w.Doc)
	if err != nil {
		return err
	}
	w.Doc.Keys, w.Doc.ID = made.keys, made.id
	c.view.guard.types.want(names(made.keys, index.WantsPrefix()))
	return nil
}

// rippleMaximum is how many documents of the store one batch keys anew.
const rippleMaximum = 20_000

// ripple keys anew the documents that waited for this one, or whose owner goes
// with it (CON-406): no new version, the same body.
func (c *commit) ripple(ctx context.Context, ref store.Ref) error {
	now, before := c.pending[ref].Doc, c.before[ref]
	var asks []store.Pred
	if appears := before.Version == 0 || before.Dead(); appears || now.Dead() || !slices.Equal(ownersOf(now.Keys), ownersOf(before.Keys)) {
		if c.view.guard.types.wants(ref.String()) {
			asks = append(asks, store.Eq{Key: index.WantsKey(ref.String())})
		}
		if now.Dead() && ref.Type == "Patient" {
			asks = append(asks, store.Eq{Key: index.OwnerKey(ref.ID)})
		}
	}
	if ref.Type == "Patient" {
		for _, number := range c.numbersOf(now, before) {
			if name := "nhs:" + number; c.view.guard.types.wants(name) {
				asks = append(asks, store.Eq{Key: index.WantsKey(name)})
			}
		}
	}
	for _, ask := range asks {
		if err := c.rekey(ctx, ask); err != nil {
			return err
		}
	}
	return nil
}

// numbersOf returns the NHS numbers that a Patient gains or loses.
func (c *commit) numbersOf(now, before store.Doc) []string {
	of := func(d store.Doc) []string {
		if d.Version == 0 || d.Dead() {
			return nil
		}
		return nhsNumbers(d.Body)
	}
	a, b := of(now), of(before)
	var out []string
	for _, n := range append(slices.Clone(a), b...) {
		if slices.Contains(a, n) != slices.Contains(b, n) {
			out = append(out, n)
		}
	}
	return out
}

// rekey puts the documents that match, newly described, into the batch.
func (c *commit) rekey(ctx context.Context, ask store.Pred) error {
	n := 0
	for d, err := range c.view.guard.types.scan(ctx, c.view.snap, ask) {
		if err != nil {
			return fmt.Errorf("find what depends on a write: %w", err)
		}
		if _, own := c.pending[d.Ref]; own {
			continue
		}
		if n++; n > rippleMaximum {
			return fhir.Fault(400, "too-costly", "More than %d resources depend on this one.", rippleMaximum)
		}
		made, err := c.view.guard.describe(ctx, c, d)
		if err != nil {
			return err
		}
		c.view.guard.types.want(names(made.keys, index.WantsPrefix()))
		before := d
		d.Keys, d.ID = made.keys, made.id
		c.put(store.Write{Doc: d, Expect: d.Version, Rekey: true}, before)
	}
	return nil
}
