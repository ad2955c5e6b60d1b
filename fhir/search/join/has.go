package join

import (
	"context"
	"fmt"
	"slices"

	"carerecord/consent"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Has matches documents of the type Here to which a document of Type refers by its reference
// parameter Param, if that document satisfies Inner (SRCH-140).
type Has struct {
	Type, Param, Here string
	Inner             Node
}

// Affirms implements Node.
func (Has) Affirms() bool                { return true }
func (Has) isJoin() bool                 { return true }
func (h Has) drivable() bool             { return h.Inner.drivable() }
func (h Has) inner() []Node              { return []Node{h.Inner} }
func (h Has) withInner(list []Node) Node { h.Inner = list[0]; return h }

func (h Has) resolve(ctx context.Context, e *Executor, among *candidates) (store.Pred, error) {
	//law:has-scan
	if among != nil {
		return h.fromCandidates(ctx, e, among)
	}
	pred, err := h.Inner.resolve(ctx, e, nil)
	if err != nil {
		return nil, err
	}
	var referrers []store.Doc
	found := idSet{}
	take := func() error {
		to, err := h.targetsOf(ctx, e, referrers)
		for id := range to {
			found[id] = true
		}
		referrers = referrers[:0]
		return err
	}
	err = e.each(ctx, h.Type, pred, h.Inner.Affirms(), func(d store.Doc) error {
		//law:has-target
		d.Body = nil
		if referrers = append(referrers, d); len(referrers) < LookupChunk {
			return nil
		}
		return take()
	})
	if err == nil {
		err = take()
	}
	if err != nil {
		return nil, err
	}
	return e.view.Index().IDOneOf(h.Here, found, found.list())
}

// targetsOf returns the ids of the documents to which some referrers refer: of all Patients of a person to whom one
// refers.
func (h Has) targetsOf(ctx context.Context, e *Executor, referrers []store.Doc) (idSet, error) {
	if e.followsPersons(h.Here) {
		persons, err := e.referredPersons(ctx, h.Type, h.Param, referrers)
		return patientsOf(persons), err
	}
	found := idSet{}
	for _, d := range referrers {
		to, err := h.targets(e, d)
		if err != nil {
			return nil, err
		}
		for _, id := range to {
			found[id] = true
		}
	}
	return found, nil
}

// targets returns the ids that a document refers to by the parameter.
func (h Has) targets(e *Executor, d store.Doc) ([]string, error) {
	return e.view.Index().ReferredIDs(h.Type, h.Param, h.Here, d.Keys)
}

// fromCandidates resolves the node for a few rows: it reads the documents that refer to them.
func (h Has) fromCandidates(ctx context.Context, e *Executor, to *candidates) (store.Pred, error) {
	rows, found := idSet{}, idSet{}
	for _, d := range to.docs {
		if d.Ref.ID != "" { // nothing refers to a contained resource
			rows[d.Ref.ID] = true
		}
	}
	where, nodes := store.Pred(store.And{}), []Node{h.Inner}
	if !followsReferences(h.Inner) {
		pred, err := h.Inner.resolve(ctx, e, nil)
		if err != nil {
			return nil, err
		}
		where, nodes = pred, nil
	}
	for chunk := range slices.Chunk(rows.list(), ReferrerChunk) {
		refers, err := h.refersToRows(ctx, e, rows, chunk)
		if err != nil {
			return nil, err
		}
		var referrers []store.Doc
		docs := e.scan(ctx, store.Query{Type: h.Type, Where: store.And{refers, where}, KeysOnly: true})
		for d, err := range e.filter(ctx, docs, nodes) {
			if err != nil {
				return nil, fmt.Errorf("find documents that refer to a few rows: %w", err)
			}
			referrers = append(referrers, d)
		}
		targets, err := h.targetsOf(ctx, e, referrers)
		if err != nil {
			return nil, err
		}
		for id := range targets {
			if rows[id] {
				found[id] = true
			}
		}
	}
	return e.view.Index().IDOneOf(h.Here, found, found.list())
}

// refersToRows matches the documents that refer to some rows, or to their persons.
func (h Has) refersToRows(ctx context.Context, e *Executor, rows idSet, list []string) (store.Pred, error) {
	if !e.followsPersons(h.Here) {
		return e.view.Index().RefersToOneOf(h.Type, h.Param, h.Here, rows, list)
	}
	byID := map[string]*consent.Person{}
	if err := e.personsByID(ctx, list, byID); err != nil {
		return nil, err
	}
	var persons []*consent.Person
	for _, id := range list {
		if p := byID[id]; p != nil && !slices.Contains(persons, p) {
			persons = append(persons, p)
		}
	}
	return e.refersToPersons(h.Type, h.Param, persons)
}

func (h Has) implied(ctx context.Context, s *Stream, max int) (store.Pred, error) {
	//law:has-implied
	referrers, complete, err := s.exec.ends(ctx, h.Type, h.Inner, max)
	if !complete || err != nil {
		return nil, err
	}
	targets, err := h.targetsOf(ctx, s.exec, referrers)
	if err != nil || len(targets) > max {
		return nil, err
	}
	return s.exec.view.Index().IDOneOf(h.Here, targets, targets.list())
}

// reverse scans by the documents that refer to Patients.
func (h Has) reverse(ctx context.Context, s *Stream) (*reverseScan, error) {
	if h.Here != "Patient" {
		return nil, nil
	}
	//law:has-reverse
	referrers, err := s.exec.newStream(ctx, h.Type, store.And{}, []Node{h.Inner}, false)
	if err != nil || !referrers.Driven() {
		return nil, err
	}
	patients := &referredPatients{exec: s.exec, has: h, referrers: referrers}
	out := &reverseScan{patientsAfter: patients.after, setBudget: func(n int) { patients.budget = n }}
	if !s.exec.followsPersons(h.Here) {
		out.joinedTo = func(_ context.Context, ids, _ idSet) (store.Pred, error) {
			return s.exec.view.Index().IDIn(h.Here, ids)
		}
		return out, nil
	}
	out.spreadPatients = s.exec.spreadPatients(func(ctx context.Context, patients []store.Doc) ([]store.Doc, error) {
		return s.exec.satisfying(ctx, patients, []Node{h})
	})
	out.joinedTo = func(ctx context.Context, ids, _ idSet) (store.Pred, error) {
		keys := index.NameSet{} // the other Patients of a person are in the same partition, or in those of spreadPatients
		for chunk := range slices.Chunk(ids.list(), LookupChunk) {
			if err := s.exec.view.AddPersonKeys(ctx, chunk, keys); err != nil {
				return nil, err
			}
		}
		return store.In{Prefix: index.OwnerPrefix(), Set: keys}, nil
	}
	return out, nil
}

func (Has) noteVersions(context.Context, *consent.View, []store.Doc, map[string]bool) error {
	return nil
}

// Explain implements Node.
func (h Has) Explain() ExplainNode {
	return explainJoin(ExplainNode{Kind: "_has", Type: h.Type, Permission: "s",
		Detail: fmt.Sprintf("its %s refers to a %s", h.Param, h.Here)}, h.Inner)
}

func (h Has) streamDetail() string {
	if h.Here != "Patient" || !h.drivable() {
		return ""
	}
	return "Patients are found by the documents that refer to them"
}
