package join

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/consent"
	"carerecord/store"
)

// Chain matches documents of Type whose reference parameter Param refers to a Target that
// satisfies Inner: a document that the View shows, or a resource contained in the row
// (SRCH-135, SMART-262).
type Chain struct {
	Type, Param, Target string
	Inner               Node
}

// Affirms implements Node.
func (Chain) Affirms() bool                { return true }
func (Chain) isJoin() bool                 { return true }
func (c Chain) drivable() bool             { return c.Inner.drivable() }
func (c Chain) inner() []Node              { return []Node{c.Inner} }
func (c Chain) withInner(list []Node) Node { c.Inner = list[0]; return c }

func (c Chain) resolve(ctx context.Context, e *Executor, among *candidates) (store.Pred, error) {
	if among != nil {
		return c.fromCandidates(ctx, e, among)
	}
	pred, err := c.Inner.resolve(ctx, e, nil)
	if err != nil {
		return nil, err
	}
	var found []store.Doc
	if err = e.each(ctx, c.Target, pred, c.Inner.Affirms(), func(d store.Doc) error {
		d.Body = nil
		found = append(found, d)
		return nil
	}); err != nil {
		return nil, err
	}
	return c.refersTo(ctx, e, found, pred)
}

// fromCandidates resolves the chain for a few rows: it looks up the targets that they refer to,
// in chunks, and tests the resources that they contain.
func (c Chain) fromCandidates(ctx context.Context, e *Executor, from *candidates) (store.Pred, error) {
	x := e.view.Index()
	targets, contained := idSet{}, &candidates{}
	for _, d := range from.docs {
		inside, err := x.ContainedKeys(c.Type, c.Param, c.Target, d.Keys)
		if err != nil {
			return nil, err
		}
		for _, keys := range inside {
			contained.docs = append(contained.docs, store.Doc{Ref: store.Ref{Type: c.Target}, Keys: keys})
		}
		to, err := x.ReferredIDs(c.Type, c.Param, c.Target, d.Keys)
		if err != nil {
			return nil, err
		}
		for _, id := range to {
			targets[id] = true
		}
	}
	if e.followsPersons(c.Target) {
		persons, err := e.referredPersons(ctx, c.Type, c.Param, from.docs)
		if err != nil {
			return nil, err
		}
		targets = patientsOf(persons)
	}
	var found []store.Doc
	for chunk := range slices.Chunk(targets.list(), LookupChunk) {
		docs, err := e.lookUp(ctx, c.Target, chunk, c.Inner)
		if err != nil {
			return nil, err
		}
		found = append(found, docs...)
	}
	if len(contained.docs) == 0 {
		return c.refersToTargets(ctx, e, found)
	}
	pred, err := c.Inner.resolve(ctx, e, contained)
	if err != nil {
		return nil, err
	}
	return c.refersTo(ctx, e, found, pred)
}

// refersToTargets matches rows that refer to one of some targets, or to the person of one.
func (c Chain) refersToTargets(ctx context.Context, e *Executor, targets []store.Doc) (store.Pred, error) {
	if e.followsPersons(c.Target) {
		persons, err := e.personsOf(ctx, targets)
		if err != nil {
			return nil, err
		}
		return e.refersToPersons(c.Type, c.Param, persons)
	}
	ids := idSet{}
	for _, d := range targets {
		ids[d.Ref.ID] = true
	}
	return e.view.Index().RefersToOneOf(c.Type, c.Param, c.Target, ids, ids.list())
}

// refersTo matches rows that refer to one of some targets, or that contain a target that
// satisfies a predicate.
func (c Chain) refersTo(ctx context.Context, e *Executor, targets []store.Doc, contained store.Pred) (store.Pred, error) {
	refers, err := c.refersToTargets(ctx, e, targets)
	if err != nil {
		return nil, err
	}
	inside, err := e.view.Index().RefersToContained(c.Type, c.Param, c.Target, contained)
	return store.Or{refers, inside}, err
}

func (c Chain) implied(ctx context.Context, s *Stream, max int) (store.Pred, error) {
	targets, complete, err := s.exec.ends(ctx, c.Target, c.Inner, max)
	if !complete || err != nil {
		return nil, err
	}
	refers, err := c.refersToTargets(ctx, s.exec, targets)
	if err != nil {
		return nil, err
	}
	contains, err := s.exec.view.Index().HasContained(c.Type, c.Param, c.Target)
	return store.Or{refers, contains}, err
}

// reverse scans by the Patients that the chain refers to.
func (c Chain) reverse(ctx context.Context, s *Stream) (*reverseScan, error) {
	if c.Target != "Patient" {
		return nil, nil
	}
	x := s.exec.view.Index()
	targets, err := s.exec.newStream(ctx, c.Target, store.And{}, []Node{c.Inner}, false)
	if err != nil || !targets.Driven() {
		return nil, err
	}
	stray, err := x.CrossPartitionRefs(c.Type, c.Param)
	if err != nil {
		return nil, err
	}
	contains, err := x.HasContained(c.Type, c.Param, c.Target)
	if err != nil {
		return nil, err
	}
	crossPartition := store.Or{stray, contains}
	out := &reverseScan{
		patientsAfter: func(ctx context.Context, after *store.RowID) iter.Seq2[endPatient, error] {
			return func(yield func(endPatient, error) bool) {
				for d, err := range targets.Rows(ctx, partitionStart(after)) {
					if !yield(endPatient{d.RowID, d.Ref.ID, s.exec.view.PersonKeyOf(d)}, err) || err != nil {
						return
					}
				}
			}
		},
		joinedTo: func(ctx context.Context, patients, persons idSet) (store.Pred, error) {
			if s.exec.followsPersons(c.Target) {
				found, err := s.exec.view.PersonsByKey(ctx, persons.list())
				if err != nil {
					return nil, err
				}
				refers, err := s.exec.refersToPersons(c.Type, c.Param, found)
				return store.And{refers, store.Not{Pred: crossPartition}}, err
			}
			refers, err := x.RefersTo(c.Type, c.Param, c.Target, patients)
			return store.And{refers, store.Not{Pred: crossPartition}}, err
		},
		crossPartition: crossPartition,
	}
	if s.exec.followsPersons(c.Target) {
		out.spreadPatients = s.exec.spreadPatients(targets.Satisfying)
	}
	return out, nil
}

func (c Chain) noteVersions(ctx context.Context, v *consent.View, rows []store.Doc, seen map[string]bool) error {
	targets := idSet{}
	for _, d := range rows {
		versioned, err := v.Index().RefersToVersion(c.Type, c.Param, c.Target, d.Keys)
		if err != nil {
			return err
		}
		if versioned {
			seen[c.Type+"."+c.Param] = true
		}
		to, err := v.Index().ReferredIDs(c.Type, c.Param, c.Target, d.Keys)
		if err != nil {
			return err
		}
		for _, id := range to {
			targets[id] = true
		}
	}
	if !hasChain(c.Inner) {
		return nil
	}
	var next []store.Doc
	for chunk := range slices.Chunk(targets.list(), LookupChunk) {
		q, err := byIDs(v.Index(), c.Target, chunk)
		if err != nil {
			return err
		}
		q.KeysOnly = true
		for d, err := range v.Scan(ctx, q) {
			if err != nil {
				return fmt.Errorf("look for versions that a chain refers to: %w", err)
			}
			next = append(next, d)
		}
	}
	return c.Inner.noteVersions(ctx, v, next, seen)
}

// Explain implements Node.
func (c Chain) Explain() ExplainNode {
	return explainJoin(ExplainNode{Kind: "chain", Type: c.Target, Permission: "s",
		Detail: fmt.Sprintf("%s.%s refers to it, or to one that the row contains", c.Type, c.Param)}, c.Inner)
}

func (c Chain) streamDetail() string {
	if c.Target != "Patient" || !c.drivable() {
		return ""
	}
	return "rows are searched in the partitions of the Patients that " + c.Param + " refers to"
}
