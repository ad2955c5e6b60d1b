package store

import "context"

// PlanNode is how an engine finds the candidates of a query: a tree of what it does.
type PlanNode struct {
	// Action is one of: "walk" (the documents of one posting, or of the type without a
	// Key, in the order of the store), "range" (those with a key from Key to
	// before High), "meet" (what all of the ways below propose), "merge" (what one
	// of them does), "least" (what the one of them does that has the fewest), "collect" (the same, collected and sorted before the first is
	// proposed).
	Action    string
	Index     string // the engine's name of what it reads; empty for a way of ways
	Key, High Key
	Children  []PlanNode
	// Verify: a candidate may not match, and Match decides.
	Verify bool
}

// Explainer says how an engine would find candidates. It is safe for concurrent
// use; what it says depends on the engine's statistics, never on who asks.
type Explainer interface {
	Explain(ctx context.Context, q Query) (PlanNode, error)
}
