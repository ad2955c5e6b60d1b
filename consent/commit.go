package consent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"carerecord/consent/backlog"
	"carerecord/consent/definitions"
	"carerecord/consent/facts"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// ChangeKind is a form of writing.
type ChangeKind byte

// The forms of writing.
const (
	ChangeCreate ChangeKind = 1 + iota // a new document under an id that NewID made
	ChangeUpdate                       // the next version, or, for a feed, a new document in its id space
	ChangeDelete                       // a tombstone
	ChangeFind                         // nothing: a conditional create that matched
	ChangePatch                        // the next version, made from the one that stands
)

// permission is what a form of writing needs; empty for what writes nothing.
func (f ChangeKind) permission() string {
	return [...]string{ChangeCreate: "c", ChangeUpdate: "u", ChangeDelete: "d", ChangeFind: "", ChangePatch: "u"}[f]
}

// Change is one write as it is asked for.
type Change struct {
	Kind ChangeKind
	Ref  store.Ref
	Body []byte // as fhir.Parse kept it, references final; nil for a delete
	// IfMatch are the versions one of which must be current; nil for any state.
	// A zero version stands for "*", any current version (REST-046).
	IfMatch []uint64
	// OnlyNew refuses an update of what stands (If-None-Match: *).
	OnlyNew bool
	// Edit makes the body of a patch from the one that stands, as the writer
	// sees it. Its errors are *fhir.Error.
	Edit func(body []byte) ([]byte, error)
	// ExactMeta keeps no tag or label that the new version lacks (REST-104).
	ExactMeta bool
	// Absent must have no visible match when the change is made: the criteria
	// of a conditional create. Nil for a plain one.
	Absent store.Pred
	// Claims are the equalities of Absent.
	Claims []store.Key
	// Location is where the change stands in a bundle, for errors; empty outside.
	Location string
}

// Result is what a change did. Doc is the new version, projected for the writer,
// or the one that stands where nothing was written.
type Result struct {
	Doc     store.Doc
	Written bool
}

// NewID makes an id: 128 random bits, hexadecimal, without a dot, so it lies in
// no feed's id space (CON-1302, CON-1303).
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

// Record makes the records of a commit for the trail, from its results. They
// become durable with or before the writes.
type Record func([]Result) ([][]byte, error)

// Commit applies all changes as one atomic step and returns a result for each,
// in their order. store.ErrConflict: another write was faster; read and decide
// anew. A *fhir.Error is for the client, and nothing was written.
func (v *View) Commit(ctx context.Context, changes []Change, record Record, marks ...store.StateWrite) ([]Result, error) {
	c := v.newCommitBuilder()
	var end func()
	c.at, end = v.guard.inFlight.begin(v.guard.clock())
	defer end()
	for i := range changes {
		if err := c.stage(ctx, &changes[i]); err != nil {
			return nil, atLocation(err, changes[i].Location)
		}
	}
	v.guard.inFlight.advance(c.at)
	for _, w := range c.pending {
		w.Doc.Updated = c.at // one instant for all (REST-223)
	}
	if err := c.keyAll(ctx); err != nil {
		return nil, err
	}
	for i := range changes {
		err := c.checkAuthor(ctx, &changes[i])
		if w := c.pending[changes[i].Ref]; err == nil && w != nil {
			err = c.checkReferences(ctx, w)
		}
		if err != nil {
			return nil, atLocation(err, changes[i].Location)
		}
	}
	if err := c.define(changes); err != nil {
		return nil, err
	}
	results, err := c.results(ctx, changes)
	if err != nil {
		return nil, err
	}
	if *v.failed != nil { // what was found is not to be acted upon
		return nil, *v.failed
	}
	if err := c.apply(ctx, results, record, marks); err != nil {
		return results, err
	}
	v.committed = true
	v.guard.catchUpInline(ctx, c)
	return results, nil
}

func atLocation(err error, place string) error {
	if e, ok := fhir.AsError(err); ok && place != "" {
		return e.At(place)
	}
	return err
}

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
		return fhir.Fault(400, "invalid", "The resource is written twice in one bundle.")
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

func (c *commitBuilder) Newest(ctx context.Context, ref store.Ref) (store.Doc, error) {
	if w, ok := c.pending[ref]; ok {
		return w.Doc, nil
	}
	return c.TrackedReader.Newest(ctx, ref)
}

// BeforeDeletion is what stood before a tombstone, of the batch or of the store.
func (c *commitBuilder) BeforeDeletion(ctx context.Context, d store.Doc) (store.Doc, error) {
	if _, pending := c.pending[d.Ref]; pending {
		return c.replaced[d.Ref], nil
	}
	return c.TrackedReader.BeforeDeletion(ctx, d)
}

func (c *commitBuilder) PatientsByNumber(ctx context.Context, number string) ([]string, error) {
	// As of now: the demand that follows is tested when the batch is committed, and a
	// document may have left the batch by then (drop).
	pending := maps.Clone(c.patients)
	found, err := c.TrackedReader.PatientsByNumberExcept(ctx, number, func(id string) bool { return pending[id] })
	if err != nil {
		return nil, err
	}
	where, err := c.view.guard.keyer.HasNumber(number)
	if err != nil {
		return nil, err
	}
	for id := range c.patients {
		w := c.pending[store.Ref{Type: "Patient", ID: id}]
		says := w.Doc.Keys
		if row, read := c.entries[w.Doc.Ref]; read { // what the body says, be it keyed yet or not
			says = row.Keys
		}
		if !w.Doc.Deleted() && store.Match(where, says) {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	return found[:min(2, len(found))], nil
}

// FormerIdentifiers is what the version before a new one bears and bore: its keys say so.
func (c *commitBuilder) FormerIdentifiers(_ context.Context, d store.Doc) ([]string, error) {
	return index.Names(c.replaced[d.Ref].Keys, index.BearsPrefix()), nil
}

// AttachedBy are those of the snapshot with the batch on top.
func (c *commitBuilder) AttachedBy(ctx context.Context, binary, source string) ([]store.Doc, error) {
	stored, err := c.TrackedReader.AttachedBy(ctx, binary, source)
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(stored, func(d store.Doc) bool {
		_, pending := c.pending[d.Ref]
		return pending
	})
	for _, w := range c.pending {
		if !w.Doc.Deleted() && store.Match(store.Eq{Key: index.AttachesKey(binary, source)}, w.Doc.Keys) {
			out = append(out, w.Doc)
		}
	}
	return out, nil
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

// checkAuthor tests what can be tested only on the finished version: who may write a
// directive about whom.
func (c *commitBuilder) checkAuthor(ctx context.Context, ch *Change) error {
	w, ok := c.pending[ch.Ref]
	if !ok || ch.Kind == ChangeFind || ch.Kind == ChangeDelete {
		return nil
	}
	p := c.view.grant.principal
	switch p.Kind {
	case System:
		return nil
	case SourceSystem:
		if err := requirePatient(c.view.guard, w); err != nil {
			return err
		}
		return c.requireSamePatient(w)
	case Backend: // who operates the record: stage has seen to it
		if ch.Ref.Type == definitions.Type {
			return nil
		}
	}
	if ch.Ref.Type != "Consent" {
		return notAllowed(c.view.guard)
	}
	// Rights are judged on what is written, whatever the form, and on what stood.
	if before := c.replaced[ch.Ref]; before.Version > 0 && !before.Deleted() {
		if err := c.mayRecordFor(ctx, before.Body); err != nil {
			return err
		}
	}
	if err := c.mayRecordFor(ctx, w.Doc.Body); err != nil {
		return err
	}
	if err := policy.Check(w.Doc.Body); err != nil {
		return err
	}
	if err := c.requireSinglePatient(ctx, w); err != nil {
		return err
	}
	return c.requireSamePatient(w)
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
