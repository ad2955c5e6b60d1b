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

// commitBuilder is one batch in the making. It is a world: the snapshot with the batch on
// top.
type commitBuilder struct {
	*facts.TrackedReader
	view    *View
	at      time.Time
	pending map[store.Ref]*store.Write // what this batch makes newest
	// patients are the ids of the Patients among them.
	patients map[string]bool
	order    []store.Ref
	replaced map[store.Ref]store.Doc // the versions that were newest
	absences []store.Absent          // of conditional creates

	entries        map[store.Ref]index.Entry // what the bodies of the batch say
	dependents     dependentDocs
	keyedAt        map[store.Ref]int       // when a document of the batch was keyed
	keyCount       int                     // how often one was
	lastPropagated map[store.Ref]store.Doc // documents as those that depend on them know them

	changedNames map[string]bool          // the names that the batch changes: whether documents were looked for that depend on them
	staleNames   map[string]backlog.Entry // those that some do depend on
	newlyStale   map[string]bool          // those of stale that nobody else had added, once the batch is committed

	backlogPage bool // the batch is a page of the backlog
	depth       int  // Entry.Depth of the names that it changes

	definitions *index.Definitions // the defined search parameters that the batch is keyed with
	newTable    *definitions.Table // the table that the batch brings; nil for the one that stands
}

func (v *View) newCommitBuilder() *commitBuilder {
	return &commitBuilder{
		TrackedReader: v.guard.keyer.TrackedReader(v.snap), view: v, definitions: v.guard.index.Installed(),
		pending: map[store.Ref]*store.Write{}, patients: map[string]bool{}, replaced: map[store.Ref]store.Doc{}, entries: map[store.Ref]index.Entry{},
		dependents: dependentDocs{}, keyedAt: map[store.Ref]int{}, lastPropagated: map[store.Ref]store.Doc{},
		changedNames: map[string]bool{}, staleNames: map[string]backlog.Entry{},
	}
}

// target is what stands where a change wants to write. cur is as stored, shown
// as the writer sees it.
type target struct {
	cur, shown      store.Doc
	exists, visible bool
}

// live: there is a current version, and the writer sees it.
func (t *target) live() bool { return t.visible && !t.cur.Deleted() }

// target reads what stands.
func (c *commitBuilder) target(ctx context.Context, ch *Change) (t target, err error) {
	if ch.Kind == ChangeCreate { // an id that NewID made: Expect 0 sees to it that it is new
		return t, nil
	}
	t.cur, err = c.view.snap.Get(ctx, ch.Ref)
	if errors.Is(err, store.ErrNotFound) {
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("read %s for writing: %w", ch.Ref, err)
	}
	t.exists = true
	t.shown, err = c.view.show(ctx, t.cur, t.cur)
	if t.visible = err == nil; err != nil && !errors.Is(err, store.ErrNotFound) {
		return t, err
	}
	return t, nil
}

// stage reads what stands, tests the rights and conditions that need it, and
// puts the new version into the batch, not yet described.
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

// absent is what must have no match when a change is made. A commit knows stored
// keys only: a match that a cut may have changed is no obstacle, for whether it
// is one depends on what the writer does not see.
func (v *View) absent(ch *Change) store.Pred {
	where := store.And{ch.Absent, v.where(ch.Ref.Type)}
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

// results projects what was made for the writer.
func (c *commitBuilder) results(ctx context.Context, changes []Change) ([]Result, error) {
	out := make([]Result, len(changes))
	for i, ch := range changes {
		w, ok := c.pending[ch.Ref]
		if !ok {
			out[i] = Result{Doc: store.Doc{Ref: ch.Ref}}
			if ch.Kind != ChangeDelete { // found, or changed into what it was
				d, err := c.view.Get(ctx, ch.Ref)
				if err != nil {
					return nil, err
				}
				out[i].Doc = d
			}
			continue
		}
		d, err := w.Doc, store.ErrNotFound
		if store.Match(c.view.where(ch.Ref.Type), w.Doc.Keys) {
			d, err = c.view.project(ctx, w.Doc, w.Doc.Keys)
		}
		if errors.Is(err, store.ErrNotFound) { // hidden from its writer
			d, err = w.Doc, nil
			d.Body = nil
		}
		if err != nil {
			return nil, err
		}
		out[i] = Result{Doc: d, Written: true}
	}
	return out, nil
}

// define makes the table of search parameters as the batch leaves it, where the batch writes
// definitions.
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
