package join

import "carerecord/store"

// ExplainNode describes one node of a search plan, for people who want to know how a search is
// answered. The predicate of the requester's Grant is ANDed at every node that names a type.
type ExplainNode struct {
	Kind       string // "rows", "filter", "chain", "_has", "terms", "_list", "all of", "one of", "not", "include", "order", "total"
	Type       string // resource type that is read; empty for none
	Permission string // the requester needs one of these SMART permissions on the type
	Detail     string // a sentence
	// Where is the node's own predicate, without its joins; nil if it is only known
	// after other documents have been read.
	Where    store.Pred
	Children []ExplainNode
}

func explainAll(list []Node) []ExplainNode {
	out := make([]ExplainNode, len(list))
	for i, n := range list {
		out[i] = n.Explain()
	}
	return out
}

// explainJoin adds the condition at the far end of a join to the join's description.
func explainJoin(n ExplainNode, inner Node) ExplainNode {
	if leaf, ok := inner.(Leaf); ok {
		n.Where = leaf.Pred
		return n
	}
	n.Children = append(n.Children, inner.Explain())
	return n
}

// StreamDetail describes how a Stream scans from the far end of a node; empty if it cannot.
func StreamDetail(n Node) string { return n.streamDetail() }
