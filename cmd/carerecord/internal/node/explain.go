package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir/index"
	"carerecord/fhir/search"
	"carerecord/fhir/search/join"
	"carerecord/store"
)

// Explain describes the plan of a search, Type?parameter=value&…
func Explain(ctx context.Context, cfg Config, query string) (string, error) {
	if server := dial(cfg); server != nil {
		text, err := server.send(ctx, http.MethodGet, "/explain?search="+url.QueryEscape(query), nil)
		return string(text), err
	}
	n, err := Open(ctx, cfg)
	if err != nil {
		return "", err
	}
	defer n.Close()
	return n.explain(ctx, operatorName(), query)
}

// answerExplain answers GET /explain on the socket.
func (n *Node) answerExplain(w http.ResponseWriter, q *http.Request) {
	text, err := n.explain(q.Context(), q.Header.Get(operatorHeader), q.URL.Query().Get("search"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, text)
}

// explain describes the plan of a search. It appends an audit record first. It counts documents
// and times the search only where every operator may know the counts: under --auth off, and in a
// demonstration.
func (n *Node) explain(ctx context.Context, operator, query string) (string, error) {
	system := consent.Principal{Kind: consent.System}
	typ, request, err := n.planSearch(ctx, system, query)
	if n.auditWriter != nil {
		explained := n.auditWriter.Explained(time.Now(), operator, query)
		if err != nil {
			explained.Interaction, explained.Type = audit.OperationRefused, "explain"
			explained.Status, explained.Decision = http.StatusBadRequest, audit.Decision{Outcome: "refuse"}
		}
		if unrecorded := n.auditWriter.Append(ctx, explained); unrecorded != nil {
			return "", unrecorded
		}
	}
	if err != nil {
		return "", err
	}
	x := &explanation{engine: n.engine, counts: n.cfg.Auth.showsCounts() && n.confirmed() == nil}
	fmt.Fprintf(&x.out, "%s\n", query)
	for _, node := range request.Query.Explain() {
		x.searchNode(ctx, node, 0)
	}
	if x.err != nil || !x.counts {
		return x.out.String(), x.err
	}
	began := time.Now()
	err = n.guard.Read(ctx, system, consent.Request{Interaction: consent.Search, Type: typ, Permission: consent.PermitSearch}, func(v *consent.View) error {
		page, err := request.Query.Run(ctx, v, search.Cursor{}, n.search.Limits)
		if err == nil {
			fmt.Fprintf(&x.out, "first page: %d matches, %d included, in %s, unguarded\n", len(page.Matches), len(page.Included), time.Since(began).Round(time.Microsecond))
		}
		return err
	})
	return x.out.String(), err
}

// planSearch plans the search of one type.
func (n *Node) planSearch(ctx context.Context, p consent.Principal, text string) (typ string, request search.PageRequest, err error) {
	typ, query, _ := strings.Cut(text, "?")
	params, err := search.ParseQuery(query)
	if err != nil {
		return typ, request, err
	}
	if typ == "" || strings.Contains(typ, "/") {
		return typ, request, errors.New("only a search of one type can be explained: Type?parameter=value&…")
	}
	request, err = n.search.ParsePage(ctx, p, search.SearchTarget{Path: typ, Types: []string{typ}}, params, true)
	return typ, request, err
}

// explanation is the text of one explained search, and the first error.
type explanation struct {
	out    bytes.Buffer
	engine store.Engine
	counts bool
	err    error
}

func (x *explanation) line(depth int, format string, args ...any) {
	io.WriteString(&x.out, strings.Repeat("  ", depth))
	fmt.Fprintf(&x.out, format+"\n", args...)
}

// searchNode writes a node of the search plan, with the engine's plan for its query.
func (x *explanation) searchNode(ctx context.Context, n join.ExplainNode, depth int) {
	words := []string{n.Kind}
	if n.Type != "" {
		words = append(words, n.Type, "(needs "+strings.Join(strings.Split(n.Permission, ""), " or ")+", guarded)")
	}
	if n.Detail != "" {
		words = append(words, n.Detail)
	}
	x.line(depth, "%s", strings.Join(words, ": "))
	if n.Where != nil {
		x.line(depth+1, "condition %s", index.DescribePred(n.Where))
	}
	if n.Where != nil && n.Type != "" {
		plan, err := x.engine.Explain(ctx, store.Query{Type: n.Type, Where: n.Where})
		if err != nil && x.err == nil {
			x.err = err
		}
		x.engineNode(ctx, n.Type, plan, depth+1)
	}
	for _, child := range n.Children {
		x.searchNode(ctx, child, depth+1)
	}
}

// maxCounted is the highest count of the documents of a key.
const maxCounted = 100_000

// engineNode writes a node of the engine's plan.
func (x *explanation) engineNode(ctx context.Context, typ string, n store.PlanNode, depth int) {
	text := n.Action
	if n.Index != "" {
		text += " " + n.Index
	}
	if n.Key != "" {
		text += ": " + index.Describe(n.Key)
	}
	if n.High != "" {
		text += " to before " + index.Describe(n.High)
	}
	if n.Verify {
		text += "; each candidate is verified"
	}
	if x.counts && n.Action == "walk" {
		text += x.count(ctx, typ, n.Key)
	}
	x.line(depth, "%s", text)
	for _, child := range n.Children {
		x.engineNode(ctx, typ, child, depth+1)
	}
}

func (x *explanation) count(ctx context.Context, typ string, k store.Key) string {
	where := store.Pred(store.And{})
	if k != "" {
		where = store.Eq{Key: k}
	}
	n := 0
	err := x.engine.Read(ctx, func(s store.Snapshot) (err error) {
		n, err = s.Count(ctx, store.Query{Type: typ, Where: where, KeysOnly: true}, maxCounted)
		return err
	})
	if err != nil && x.err == nil {
		x.err = err
	}
	if n == maxCounted {
		return fmt.Sprintf(" [%d documents or more]", n)
	}
	return fmt.Sprintf(" [%d documents]", n)
}
