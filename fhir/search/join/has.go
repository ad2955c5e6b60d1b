package join

import (
	"context"
	"fmt"
	"slices"

	"carerecord/consent"
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
	if among != nil {
		return h.fromCandidates(ctx, e, among)
	}
	found := idSet{}
	pred, err := h.Inner.resolve(ctx, e, nil)
	if err != nil {
		return nil, err
	}
	err = e.each(ctx, h.Type, pred, h.Inner.Affirms(), func(d store.Doc) error {
		//law:has-target
		to, err := h.targets(e, d)
		for _, id := range to {
			found[id] = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.view.Index().IDOneOf(h.Here, found, found.list())
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
		refers, err := e.view.Index().RefersToOneOf(h.Type, h.Param, h.Here, rows, chunk)
		if err != nil {
			return nil, err
		}
		docs := e.scan(ctx, store.Query{Type: h.Type, Where: store.And{refers, where}, KeysOnly: true})
		for d, err := range e.filter(ctx, docs, nodes) {
			if err != nil {
				return nil, fmt.Errorf("find documents that refer to a few rows: %w", err)
			}
			targets, err := h.targets(e, d)
			if err != nil {
				return nil, err
			}
			for _, id := range targets {
				if rows[id] {
					found[id] = true
				}
			}
		}
	}
	return e.view.Index().IDOneOf(h.Here, found, found.list())
}

func (h Has) implied(ctx context.Context, s *Stream, max int) (store.Pred, error) {
	targets, complete, err := s.exec.endIDs(ctx, h.Type, h.Inner, max, func(d store.Doc) ([]string, error) { return h.targets(s.exec, d) })
	if !complete || err != nil {
		return nil, err
	}
	return s.exec.view.Index().IDOneOf(h.Here, targets, targets.list())
}

// reverse scans by the documents that refer to Patients.
func (h Has) reverse(ctx context.Context, s *Stream) (*reverseScan, error) {
	if h.Here != "Patient" {
		return nil, nil
	}
	referrers, err := s.exec.newStream(ctx, h.Type, store.And{}, []Node{h.Inner}, false)
	if err != nil || !referrers.Driven() {
		return nil, err
	}
	patients := &referredPatients{exec: s.exec, has: h, referrers: referrers}
	return &reverseScan{
		patientsAfter: patients.after,
		joinedTo:      func(ids idSet) (store.Pred, error) { return s.exec.view.Index().IDIn(h.Here, ids) },
	}, nil
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
