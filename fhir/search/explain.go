package search

import (
	"fmt"
	"strings"

	"carerecord/fhir/search/join"
)

// Explain returns the nodes of a plan. It reads nothing.
func (q *Query) Explain() []join.PlanNode {
	var out []join.PlanNode
	for i, part := range q.Types {
		n := join.PlanNode{Kind: "rows", Type: part.Type, Permission: "s", Detail: q.rowsDetail(), Where: part.Where}
		if q.joins != nil {
			for _, node := range q.joins[i] {
				n.Children = append(n.Children, node.Explain())
			}
		}
		out = append(out, n)
	}
	out = append(out, q.explainOrder(), join.PlanNode{Kind: "total", Detail: q.totalDetail()})
	for _, inc := range q.Includes {
		n := join.PlanNode{Kind: "include", Type: inc.Target, Permission: "rs", Detail: fmt.Sprintf("what %s.%s of the rows on the page names, looked up by id, up to %d in one question", inc.Source, inc.Param, join.LookupChunk)}
		if inc.Reverse {
			n.Type, n.Permission, n.Detail = inc.Source, "s", fmt.Sprintf("what refers to the rows on the page by %s, from the index, to up to %d rows in one question", inc.Param, join.ReferrerChunk)
		}
		if inc.Iterate {
			n.Detail += "; again from what was included"
		}
		out = append(out, n)
	}
	return out
}

func (q *Query) rowsDetail() string {
	switch {
	case q.needsWalk():
		return "every visible document of the type, one after the other, up to scan-maximum"
	case q.mayStream() && q.streams():
		return q.streamDetail()
	case q.joins != nil && q.driven:
		return "from the index; hops first, from the rows where these are at most a hundred, else over the record"
	case q.joins != nil:
		return "from the index; hops first, over the record"
	}
	return "from the index"
}

// streams reports whether a page that may be streamed is streamed.
func (q *Query) streams() bool { return q.driven || join.Drivable(q.joins[0]) }

func (q *Query) streamDetail() string {
	detail := "from the index; the page is a stream: joins are evaluated for chunks of rows"
	for _, n := range q.joins[0] {
		if reverse := join.StreamDetail(n); reverse != "" {
			return detail + ", or " + reverse + ", whichever covers the record faster"
		}
	}
	return detail
}

func (q *Query) explainOrder() join.PlanNode {
	if len(q.Sort) == 0 {
		return join.PlanNode{Kind: "order", Detail: fmt.Sprintf("that of the store (place of the patient, newest first); a page of %d", q.Count)}
	}
	keys := make([]string, len(q.Sort))
	for i, k := range q.Sort {
		keys[i] = k.Name
		if k.Descending {
			keys[i] = "-" + k.Name
		}
	}
	return join.PlanNode{Kind: "order", Detail: fmt.Sprintf("all visible matches, up to sort-maximum, sorted by %s; a page of %d", strings.Join(keys, ","), q.Count)}
}

func (q *Query) totalDetail() string {
	switch {
	case q.CountOnly || q.Total == TotalAccurate:
		return "counted"
	case q.Total == TotalNone:
		return "not asked for"
	case !q.Named.None():
		return "counted: the search names a patient"
	case q.countable:
		return "counted from the index, up to count-budget"
	}
	return "left out: postings alone do not decide"
}
