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
// Then it keys anew what looks different now, in the store and in the batch,
// until nothing changes.
func (c *commit) describeAll(ctx context.Context) error {
	refs := slices.Clone(c.order)
	slices.SortStableFunc(refs, func(a, b store.Ref) int { return turn(a.Type) - turn(b.Type) })
	c.waiting, c.described = map[string][]store.Ref{}, map[store.Ref]int{}
	if err := c.prepare(ctx, refs); err != nil {
		return err
	}
	for _, ref := range refs {
		if err := c.describe(ctx, c.pending[ref]); err != nil {
			return err
		}
	}
	for len(refs) > 0 {
		changed, err := c.ripple(ctx, refs[0])
		if err != nil {
			return err
		}
		refs = append(refs[1:], changed...)
	}
	return nil
}

func (c *commit) describe(ctx context.Context, w *store.Write) error {
	if w.Doc.Dead() {
		before := c.before[w.Doc.Ref]
		w.Doc.Keys, w.Doc.ID = before.Keys, before.ID
		return nil
	}
	_, err := c.key(ctx, w)
	return err
}

// key makes the keys of a live document of the batch. It reports whether the
// owners are others than before, or are known now and were not.
func (c *commit) key(ctx context.Context, w *store.Write) (bool, error) {
	row, read := c.rows[w.Doc.Ref]
	if !read { // a document of the store
		var err error
		if row, err = c.view.guard.row(w.Doc); err != nil {
			return false, err
		}
		c.rows[w.Doc.Ref] = row
	}
	made, err := c.view.guard.describe(ctx, c, w.Doc, row)
	if err != nil {
		return false, err
	}
	changed := !sameHeirs(w.Doc.Keys, made.keys)
	w.Doc.Keys, w.Doc.ID = made.keys, made.id
	wants := names(made.keys, index.WantsPrefix())
	c.view.guard.types.want(wants)
	for _, name := range wants {
		if !slices.Contains(c.waiting[name], w.Doc.Ref) {
			c.waiting[name] = append(c.waiting[name], w.Doc.Ref)
		}
	}
	c.keyed++
	c.described[w.Doc.Ref] = c.keyed
	return changed, nil
}

// sameHeirs compares what documents that inherit from this one would take: its
// owners, and a Binary also its mentions and named facts.
func sameHeirs(a, b []store.Key) bool {
	return slices.Equal(ownersOf(a), ownersOf(b)) &&
		slices.Equal(names(a, index.MentionPrefix()), names(b, index.MentionPrefix())) &&
		!slices.ContainsFunc(inherits, func(name string) bool { return store.Match(fact(name), a) != store.Match(fact(name), b) })
}

// rippleMaximum is how many documents of the store one batch keys anew.
const rippleMaximum = 20_000

// ripple keys anew the documents that waited for this one, or whose owner goes
// with it (CON-406): no new version, the same body. It returns those of which
// the owners changed by that.
func (c *commit) ripple(ctx context.Context, ref store.Ref) ([]store.Ref, error) {
	now, before := c.pending[ref].Doc, c.before[ref]
	appears := before.Version == 0 || before.Dead()
	var names []string
	differs := appears || now.Dead() || !sameHeirs(now.Keys, before.Keys)
	if differs {
		names = append(names, ref.String())
	}
	if ref.Type == "Patient" {
		for _, number := range c.numbersOf(now, before) {
			names = append(names, "nhs:"+number)
		}
	}
	var changed []store.Ref
	for _, name := range names {
		if c.view.guard.types.wants(name) {
			if err := c.rekey(ctx, store.Eq{Key: index.WantsKey(name)}, &changed); err != nil {
				return nil, err
			}
		}
		for _, waiting := range c.waiting[name] {
			if w := c.pending[waiting]; !w.Doc.Dead() && c.described[waiting] <= c.described[ref] {
				if err := c.keyAgain(ctx, w, &changed); err != nil {
					return nil, err
				}
			}
		}
	}
	if differs || !slices.Equal(held(now), held(before)) {
		if err := c.attached(ctx, now, before, &changed); err != nil {
			return nil, err
		}
	}
	if now.Dead() && ref.Type == "Patient" {
		return changed, c.rekey(ctx, store.Eq{Key: index.OwnerKey(ref.ID)}, &changed)
	}
	return changed, nil
}

// keyAgain keys a document of the batch and notes it where its owners changed.
func (c *commit) keyAgain(ctx context.Context, w *store.Write, changed *[]store.Ref) error {
	differs, err := c.key(ctx, w)
	if err == nil && differs {
		*changed = append(*changed, w.Doc.Ref)
	}
	return err
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
func (c *commit) rekey(ctx context.Context, ask store.Pred, changed *[]store.Ref) error {
	for d, err := range c.view.guard.types.scan(ctx, c.view.snap, ask) {
		if err != nil {
			return fmt.Errorf("find what depends on a write: %w", err)
		}
		if _, there := c.pending[d.Ref]; there {
			continue
		}
		if c.rekeyed++; c.rekeyed > rippleMaximum {
			return fhir.Fault(400, "too-costly", "More than %d resources depend on this one.", rippleMaximum)
		}
		c.put(store.Write{Doc: d, Expect: d.Version, Keying: d.Keying, Rekey: true}, d)
		if err := c.keyAgain(ctx, c.pending[d.Ref], changed); err != nil {
			return err
		}
	}
	return nil
}
