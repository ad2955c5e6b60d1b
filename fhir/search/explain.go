package search

import (
	"fmt"
	"strings"

	"carerecord/fhir/search/join"
)

// Explain describes how the Query is executed. It reads nothing.
func (q *Query) Explain() []join.ExplainNode {
	var out []join.ExplainNode
	for i, part := range q.Types {
		n := join.ExplainNode{Kind: "rows", Type: part.Type, Permission: "s", Detail: q.rowsDetail(), Where: part.Where}
		if q.joins != nil {
			for _, node := range q.joins[i] {
				n.Children = append(n.Children, node.Explain())
			}
		}
		out = append(out, n)
	}
	out = append(out, q.explainOrder(), join.ExplainNode{Kind: "total", Detail: q.totalDetail()})
	for _, inc := range q.Includes {
		n := join.ExplainNode{Kind: "include", Type: inc.Target, Permission: "rs", Detail: fmt.Sprintf("the resources that %s.%s of the rows on the page refers to, looked up by id, up to %d in one query", inc.Source, inc.Param, join.LookupChunk)}
		if inc.Reverse {
			n.Type, n.Permission, n.Detail = inc.Source, "s", fmt.Sprintf("the resources that refer to the rows on the page by %s, from the index, for up to %d rows in one query", inc.Param, join.ReferrerChunk)
		}
		if inc.Iterate {
			n.Detail += "; repeated for included resources"
		}
		out = append(out, n)
	}
	return out
}

func (q *Query) rowsDetail() string {
	switch {
	case q.needsWalk():
		return "every visible document of the type, up to scan-maximum"
	case q.mayStream() && q.streams():
		return q.streamDetail()
	case q.joins != nil && q.driven:
		return "from the index; joins are evaluated first, for the rows if these are at most a hundred, else over the record"
	case q.joins != nil:
		return "from the index; joins are evaluated first, over the record"
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

func (q *Query) explainOrder() join.ExplainNode {
	if len(q.Sort) == 0 {
		return join.ExplainNode{Kind: "order", Detail: fmt.Sprintf("the order of the store (by patient, newest first); a page of %d", q.Count)}
	}
	keys := make([]string, len(q.Sort))
	for i, k := range q.Sort {
		keys[i] = k.Name
		if k.Descending {
			keys[i] = "-" + k.Name
		}
	}
	return join.ExplainNode{Kind: "order", Detail: fmt.Sprintf("all visible matches, up to sort-maximum, sorted by %s; a page of %d", strings.Join(keys, ","), q.Count)}
}

func (q *Query) totalDetail() string {
	switch {
	case q.CountOnly || q.Total == TotalAccurate:
		return "counted"
	case q.Total == TotalNone:
		return "not requested"
	case !q.Named.None():
		return "counted: the search names a patient"
	case q.countable:
		return "counted from the index, up to count-budget"
	}
	return "left out: the index alone cannot count the matches"
}
