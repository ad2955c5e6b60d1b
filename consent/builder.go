package consent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carerecord/consent/backlog"
	"carerecord/consent/definitions"
	"carerecord/consent/facts"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// commitBuilder makes one batch. It is a facts.Reader: the snapshot with the batch on top.
type commitBuilder struct {
	*facts.TrackedReader
	view    *View
	at      time.Time
	pending map[store.Ref]*store.Write // the new versions
	// patients are the ids of the Patients in pending.
	patients map[string]bool
	order    []store.Ref
	replaced map[store.Ref]store.Doc // the current versions of these documents
	absences []store.Absent          // of conditional creates

	entries        map[store.Ref]index.Entry // of the documents of the batch
	dependents     dependentDocs
	keyedAt        map[store.Ref]int       // when a document of the batch was keyed last, as a count
	keyCount       int                     // the current count
	lastPropagated map[store.Ref]store.Doc // documents as their dependents were keyed from them

	changedNames map[string]bool          // names that the batch changes; whether their dependents were looked for
	staleNames   map[string]backlog.Entry // those that have dependents in the store
	newlyStale   map[string]bool          // those of staleNames that had no entry before the commit

	backlogPage bool // the batch is a page of the backlog
	depth       int  // Entry.Depth of the new entries

	definitions *index.Definitions // the search parameters that the batch is keyed with
	newTable    *definitions.Table // the table that the batch brings; nil for none
}

func (v *View) newCommitBuilder() *commitBuilder {
	return &commitBuilder{
		TrackedReader: v.guard.keyer.TrackedReader(v.snap), view: v, definitions: v.guard.index.Installed(),
		pending: map[store.Ref]*store.Write{}, patients: map[string]bool{}, replaced: map[store.Ref]store.Doc{}, entries: map[store.Ref]index.Entry{},
		dependents: dependentDocs{}, keyedAt: map[store.Ref]int{}, lastPropagated: map[store.Ref]store.Doc{},
		changedNames: map[string]bool{}, staleNames: map[string]backlog.Entry{},
	}
}

// target is the document that a change writes to. cur is stored, shown is its projection.
type target struct {
	cur, shown      store.Doc
	exists, visible bool
	own             bool // of the source system that writes, whatever its scopes
}

// live reports whether the writer sees a current version.
func (t *target) live() bool { return t.visible && !t.cur.Deleted() }

// target reads the document that a change writes to.
func (c *commitBuilder) target(ctx context.Context, ch *Change) (t target, err error) {
	if ch.Kind == ChangeCreate { // the id is new: Expect is 0
		return t, nil
	}
	before := c.view.snap.reads
	t.cur, err = c.view.snap.Get(ctx, ch.Ref)
	if errors.Is(err, store.ErrNotFound) {
		if err = c.view.sameReads(ctx, ch.Ref.Type, before, err); errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return t, err
	}
	if err != nil {
		return t, fmt.Errorf("read %s for writing: %w", ch.Ref, err)
	}
	t.exists = true
	t.own = c.view.grant.principal.Kind == SourceSystem && store.Match(c.view.where(ch.Ref.Type), t.cur.Keys)
	t.shown, err = c.writing(ch).show(ctx, t.cur, t.cur)
	if err == nil && ch.Reads {
		t.shown, err = c.view.WithPermission(string(rune(PermitRead))).show(ctx, t.cur, t.cur)
	}
	if t.visible = err == nil; !t.visible {
		err = c.view.sameReads(ctx, ch.Ref.Type, before, err)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return t, err
	}
	return t, nil
}

// stage reads the target, checks the conditions that depend on it, and adds the new version to the
// batch, without keys.
func (c *commitBuilder) stage(ctx context.Context, ch *Change) error {
	if ch.Ref.Type == definitions.Type && ch.Kind != ChangeFind && !c.view.grant.principal.Operates() {
		return notAllowed(c.view.guard)
	}
	//law:write-permission
	if l := ch.Kind.permission(); l != "" && !c.view.grant.rules.permit(ch.Ref.Type, l) {
		return notAllowed(c.view.guard)
	}
	t, err := c.target(ctx, ch)
	if err != nil {
		return err
	}
	w := store.Write{Doc: store.Doc{Ref: ch.Ref, Body: ch.Body, Source: c.view.grant.principal.Organisation}}
	if t.exists {
		w.Expect, w.KeyRevision, w.Doc.Source = t.cur.Version, t.cur.KeyRevision, t.cur.Source
		if !t.cur.Updated.Before(c.at) {
			c.at = t.cur.Updated.Add(time.Millisecond) // REST-042
		}
	}
	w.Doc.Version, w.Doc.Keys = w.Expect+1, c.authorFacts(ch.Ref, &t)
	if err := c.mayChange(ch, &t); err != nil {
		return err
	}
	write, err := c.view.applyKind(ch, &w, &t)
	if err != nil || !write {
		if err == nil && t.visible {
			c.RequireVersion(t.cur)
		}
		return err
	}
	if _, twice := c.pending[ch.Ref]; twice {
		return fhir.Fault(400, "invalid", "The resource is written more than once in one bundle.")
	}
	if ch.Absent != nil {
		c.absences = append(c.absences, store.Absent{
			Type: ch.Ref.Type, Where: c.view.absent(ch), Claims: ch.Claims,
		})
	}
	c.put(w, t.cur)
	return nil
}

// absent must have no match when a change is made. A commit evaluates stored keys. It ignores matches
// that a cut may have changed, since the writer may not see why they match.
func (v *View) absent(ch *Change) store.Pred {
	where := store.And{ch.Absent, v.where(ch.Ref.Type)}
	if within := v.WithPermission(string(rune(PermitSearch))).withinScopes(ch.Ref.Type); within != nil {
		where = append(where, within)
	}
	//law:criteria-absent
	if candidates := v.grant.cutCandidates(); v.cutsBodies() && candidates != nil {
		where = append(where, not(candidates))
	}
	return where
}

func (c *commitBuilder) put(w store.Write, before store.Doc) {
	c.replaced[w.Doc.Ref] = before
	c.pending[w.Doc.Ref] = &w
	if w.Doc.Ref.Type == "Patient" {
		c.patients[w.Doc.Ref.ID] = true
	}
	c.order = append(c.order, w.Doc.Ref)
}

// results projects the new versions for the writer.
func (c *commitBuilder) results(ctx context.Context, changes []Change) ([]Result, error) {
	out := make([]Result, len(changes))
	for i, ch := range changes {
		w, ok := c.pending[ch.Ref]
		if !ok {
			out[i] = Result{Doc: store.Doc{Ref: ch.Ref}}
			if ch.Kind != ChangeDelete { // found, or unchanged
				d, err := c.view.Get(ctx, ch.Ref)
				if err != nil {
					return nil, err
				}
				out[i].Doc = c.readable(d)
			}
			continue
		}
		d, err := w.Doc, store.ErrNotFound
		if store.Match(c.view.where(ch.Ref.Type), w.Doc.Keys) {
			d, err = c.view.project(ctx, w.Doc, w.Doc.Keys)
		}
		if errors.Is(err, store.ErrNotFound) { // hidden from the writer
			d, err = w.Doc, nil
			d.Body = nil
		}
		if err != nil {
			return nil, err
		}
		out[i] = Result{Doc: c.readable(d), Written: true}
	}
	return out, nil
}

// define makes the table of search parameters after the batch, where it writes definitions.
func (c *commitBuilder) define(changes []Change) (err error) {
	var written []definitions.Written
	for i := range changes {
		if w := c.pending[changes[i].Ref]; w != nil && changes[i].Ref.Type == definitions.Type {
			written = append(written, definitions.Written{Doc: w.Doc, Location: changes[i].Location})
		}
	}
	if len(written) > 0 {
		c.newTable, err = c.view.guard.definitions.Define(written)
	}
	return err
}
