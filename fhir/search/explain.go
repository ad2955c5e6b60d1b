package search

import (
	"fmt"
	"slices"
	"strings"

	"carerecord/store"
)

// PlanNode is one node of a plan, for who asks how a search is answered. The guard of
// the caller is ANDed at every node that names a type.
type PlanNode struct {
	Kind       string // "rows", "chain", "_has", "terms", "_filter", "_list", "include", "order", "total"
	Type       string // the type that is read; empty for none
	Permission string // the letters of which the caller needs one on the type
	Detail     string
	// Where is what the node asks by itself, hops left out; nil for nothing that is
	// known before they are followed.
	Where    store.Pred
	Children []PlanNode
}

// Explain returns the nodes of a plan. It reads nothing.
func (p *Plan) Explain() []PlanNode {
	var out []PlanNode
	for i, part := range p.Types {
		n := PlanNode{Kind: "rows", Type: part.Type, Permission: "s", Detail: p.howRows(), Where: part.Where}
		if p.joins != nil {
			for _, j := range p.joins[i] {
				n.Children = append(n.Children, explainNode(j))
			}
		}
		out = append(out, n)
	}
	out = append(out, p.explainOrder(), PlanNode{Kind: "total", Detail: p.howTotal()})
	for _, inc := range p.Includes {
		n := PlanNode{Kind: "include", Type: inc.Target, Permission: "rs", Detail: fmt.Sprintf("what %s.%s of the rows on the page names, looked up by id, up to %d in one question", inc.Source, inc.Param, atOnce)}
		if inc.Reverse {
			n.Type, n.Permission, n.Detail = inc.Source, "s", fmt.Sprintf("what refers to the rows on the page by %s, from the index, to up to %d rows in one question", inc.Param, merged)
		}
		if inc.Iterate {
			n.Detail += "; again from what was included"
		}
		out = append(out, n)
	}
	return out
}

func (p *Plan) howRows() string {
	switch {
	case p.walks():
		return "every visible document of the type, one after the other, up to scan-maximum"
	case p.mayStream() && p.flows():
		return p.howStream()
	case p.joins != nil && p.driven:
		return "from the index; hops first, from the rows where these are at most a hundred, else over the record"
	case p.joins != nil:
		return "from the index; hops first, over the record"
	}
	return "from the index"
}

// flows reports whether a page that may be streamed is.
func (p *Plan) flows() bool { return p.driven || slices.ContainsFunc(p.joins[0], promising) }

func (p *Plan) howStream() string {
	how := "from the index; the page is a stream: hops are followed from the rows, chunk by chunk"
	for _, n := range p.joins[0] {
		switch n := n.(type) {
		case chain:
			if n.target == "Patient" && promising(n) {
				return how + ", or rows are looked for in the places of the Patients to whom " + n.param + " leads, whichever comes further"
			}
		case has:
			if n.here == "Patient" && promising(n) {
				return how + ", or Patients are met by what refers to them, whichever comes further"
			}
		}
	}
	return how
}

func (p *Plan) explainOrder() PlanNode {
	if len(p.Sort) == 0 {
		return PlanNode{Kind: "order", Detail: fmt.Sprintf("that of the store (place of the patient, newest first); a page of %d", p.Count)}
	}
	keys := make([]string, len(p.Sort))
	for i, k := range p.Sort {
		keys[i] = k.Name
		if k.Descending {
			keys[i] = "-" + k.Name
		}
	}
	return PlanNode{Kind: "order", Detail: fmt.Sprintf("all visible matches, up to sort-maximum, sorted by %s; a page of %d", strings.Join(keys, ","), p.Count)}
}

func (p *Plan) howTotal() string {
	switch {
	case p.CountOnly || p.Total == TotalAccurate:
		return "counted"
	case p.Total == TotalNone:
		return "not asked for"
	case !p.Named.None():
		return "counted: the search names a patient"
	case p.simple:
		return "counted from the index, up to count-budget"
	}
	return "left out: postings alone do not decide"
}

// explainNode spells a filter that may lead elsewhere.
func explainNode(n node) PlanNode {
	switch n := n.(type) {
	case leaf:
		return PlanNode{Kind: "filter", Where: n.pred}
	case chain:
		return hop(PlanNode{Kind: "chain", Type: n.target, Permission: "s", Detail: fmt.Sprintf("%s.%s leads to it, or to one that the row contains", n.typ, n.param)}, n.inner)
	case has:
		return hop(PlanNode{Kind: "_has", Type: n.typ, Permission: "s", Detail: fmt.Sprintf("its %s leads to a %s", n.param, n.here)}, n.inner)
	case coded:
		return PlanNode{Kind: "terms", Type: "ValueSet, CodeSystem", Permission: "rs", Detail: fmt.Sprintf("%s:%s: the codes first, from what the caller's organisation defines, else the operator, else the tables of R4", n.name, n.modifier)}
	case listed:
		return PlanNode{Kind: "_list", Type: "List", Permission: "s", Detail: "read by id; what it names, each by its own right"}
	case every:
		return PlanNode{Kind: "all of", Children: explainAll(n)}
	case some:
		return PlanNode{Kind: "one of", Children: explainAll(n)}
	case none:
		return PlanNode{Kind: "not", Children: explainAll([]node{n.of})}
	}
	panic(fmt.Sprintf("search: no words for a %T", n))
}

func explainAll(list []node) []PlanNode {
	out := make([]PlanNode, len(list))
	for i, n := range list {
		out[i] = explainNode(n)
	}
	return out
}

// hop puts what is asked at the end of a hop into its node.
func hop(n PlanNode, inner node) PlanNode {
	in := explainNode(inner)
	if in.Kind == "filter" && in.Type == "" {
		n.Where = in.Where
		return n
	}
	n.Children = append(n.Children, in)
	return n
}
