package store

import "context"

// PlanNode is a node of the plan by which an engine finds the candidates of a query.
type PlanNode struct {
	// Action is one of:
	//
	//	walk       the documents with Key, or of the type if Key is empty, in the order of the store
	//	range      the documents with a key from Key to before High
	//	intersect  the candidates that all children propose
	//	merge      the candidates that any child proposes
	//	fewest     the candidates of the child that proposes the fewest
	//	collect    as merge, collected and sorted before the first is proposed
	Action    string
	Index     string // the engine's name of the index; empty for a node with children
	Key, High Key
	Children  []PlanNode
	// Verify: a candidate may not match, and Match decides.
	Verify bool
}

// Explainer returns the plan of a query. It is safe for concurrent use. The plan depends on
// the statistics of the engine, never on the requester.
type Explainer interface {
	Explain(ctx context.Context, q Query) (PlanNode, error)
}
