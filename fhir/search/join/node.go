package join

import (
	"context"
	"slices"

	"carerecord/consent"
	"carerecord/store"
)

// Node is one filter of a search: a closed sum of Leaf, Chain, Has, Coded, ListMembers, All,
// Any and Not. A Node is immutable.
//
//sumtype:decl
type Node interface {
	// resolve returns a predicate for the type that the node filters. The predicate is only
	// valid for the candidates; nil means all documents of the type.
	resolve(ctx context.Context, e *Executor, among *candidates) (store.Pred, error)

	// Affirms reports whether the node demands that something is present, in a form from
	// which an index can propose candidates.
	Affirms() bool

	// isJoin reports whether the node itself follows a reference.
	isJoin() bool

	// drivable reports whether an index can propose candidates for the node, or for documents at
	// the far end of its joins.
	drivable() bool

	// inner returns the nodes below; withInner returns the node with others in their place.
	inner() []Node
	withInner([]Node) Node

	// implied returns a weaker predicate that every match satisfies and that an index can drive,
	// or nil if there is none or it would name more than max ids.
	implied(ctx context.Context, s *Stream, max int) (store.Pred, error)

	// reverse returns the scan of s from the far end of this node, or nil if there is none.
	reverse(ctx context.Context, s *Stream) (*reverseScan, error)

	// noteVersions records in seen each Type.param by which a row refers to a version.
	noteVersions(ctx context.Context, v *consent.View, rows []store.Doc, seen map[string]bool) error

	// Explain describes the node. It reads nothing.
	Explain() ExplainNode

	// streamDetail describes the reverse scan of a Stream; empty if there is none.
	streamDetail() string
}

// local has the methods of nodes that follow no reference.
type local struct{}

func (local) isJoin() bool                                              { return false }
func (local) inner() []Node                                             { return nil }
func (local) implied(context.Context, *Stream, int) (store.Pred, error) { return nil, nil }
func (local) reverse(context.Context, *Stream) (*reverseScan, error)    { return nil, nil }
func (local) streamDetail() string                                      { return "" }
func (local) noteVersions(context.Context, *consent.View, []store.Doc, map[string]bool) error {
	return nil
}

// followsReferences reports whether a node or one below it follows a reference.
func followsReferences(n Node) bool {
	return n.isJoin() || slices.ContainsFunc(n.inner(), followsReferences)
}

func notDrivable(n Node) bool { return !n.drivable() }

// hasChain reports whether a node has a chain in it.
func hasChain(n Node) bool {
	_, chain := n.(Chain)
	return chain || !n.isJoin() && slices.ContainsFunc(n.inner(), hasChain)
}

// Drivable reports whether an index can propose candidates at some end of one of the nodes.
func Drivable(nodes []Node) bool { return slices.ContainsFunc(nodes, Node.drivable) }

// Leaf is a search parameter of the type that is searched.
type Leaf struct {
	local
	Pred   store.Pred
	Drives bool // an index can propose candidates for Pred

	expanded bool // references to Patients in Pred mean persons already (consent.View.Expand)
}

func (l Leaf) resolve(ctx context.Context, e *Executor, _ *candidates) (store.Pred, error) {
	if l.expanded {
		return l.Pred, nil
	}
	return e.view.Expand(ctx, l.Pred)
}

// Affirms implements Node.
func (l Leaf) Affirms() bool         { return l.Drives }
func (l Leaf) drivable() bool        { return l.Drives }
func (l Leaf) withInner([]Node) Node { return l }

func (l Leaf) implied(context.Context, *Stream, int) (store.Pred, error) {
	if l.Drives {
		return l.Pred, nil
	}
	return nil, nil
}

// Explain implements Node.
func (l Leaf) Explain() ExplainNode { return ExplainNode{Kind: "filter", Where: l.Pred} }

// idSet is a set of logical ids.
type idSet map[string]bool

// Has implements store.Set.
func (s idSet) Has(id string) bool { return s[id] }

// list returns the ids, sorted.
func (s idSet) list() []string {
	out := make([]string, 0, len(s))
	for id := range s {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
