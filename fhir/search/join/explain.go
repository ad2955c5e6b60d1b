package join

import "carerecord/store"

// PlanNode describes one node of a search plan, for people who want to know how a search is
// answered. The predicate of the caller's Grant is ANDed at every node that names a type.
type PlanNode struct {
	Kind       string // "rows", "filter", "chain", "_has", "terms", "_list", "all of", "one of", "not", "include", "order", "total"
	Type       string // resource type that is read; empty for none
	Permission string // the caller needs one of these SMART permissions on the type
	Detail     string // a sentence
	// Where is the node's own predicate, without its joins; nil if it is only known
	// after other documents have been read.
	Where    store.Pred
	Children []PlanNode
}

func explainAll(list []Node) []PlanNode {
	out := make([]PlanNode, len(list))
	for i, n := range list {
		out[i] = n.Explain()
	}
	return out
}

// explainJoin adds the condition at the far end of a join to the join's description.
func explainJoin(n PlanNode, inner Node) PlanNode {
	if leaf, ok := inner.(Leaf); ok {
		n.Where = leaf.Pred
		return n
	}
	n.Children = append(n.Children, inner.Explain())
	return n
}

// StreamDetail describes how a Stream scans from the far end of a node; empty if it cannot.
func StreamDetail(n Node) string { return n.streamDetail() }
