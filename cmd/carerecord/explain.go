package main

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

// explainCmd says how a search is answered.
type explainCmd struct {
	siteFlags
	Search string `arg:"" help:"The search as it stands behind the base: Observation?patient=1&code=x"`
}

// Run asks the server that holds the store, or opens the store.
func (c *explainCmd) Run(ctx context.Context) error {
	s, err := c.settings()
	if err != nil {
		return err
	}
	if client := socketClient(s); client != nil {
		text, err := ask(ctx, client, http.MethodGet, "/explain?search="+url.QueryEscape(c.Search), nil)
		if err == nil {
			fmt.Print(string(text))
		}
		return err
	}
	r, err := openRecord(ctx, s)
	if err != nil {
		return err
	}
	defer r.close()
	text, err := r.explain(ctx, s, operatorName(), c.Search)
	if err == nil {
		fmt.Print(text)
	}
	return err
}

func (r *record) answerExplain(w http.ResponseWriter, q *http.Request, s settings) {
	text, err := r.explain(q.Context(), s, q.Header.Get(operatorHeader), q.URL.Query().Get("search"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, text)
}

// explain spells the plan of a search, with a record in the trail before anything
// is told. Documents are counted, and the search is timed, only where everybody may
// know what is there: under --auth off, and in a demonstration.
func (r *record) explain(ctx context.Context, s settings, who, text string) (string, error) {
	everybody := consent.Principal{Kind: consent.System}
	path, asked, err := r.planned(ctx, everybody, text)
	if r.trail != nil {
		explained := r.trail.Explained(time.Now(), who, text)
		if err != nil {
			explained.Interaction, explained.Type = audit.OperationRefused, "explain"
			explained.Status, explained.Decision = http.StatusBadRequest, audit.Decision{Outcome: "refuse"}
		}
		if unrecorded := r.trail.Append(ctx, explained); unrecorded != nil {
			return "", unrecorded
		}
	}
	if err != nil {
		return "", err
	}
	x := &explaining{ctx: ctx, engine: r.engine, counts: (s.unguarded || s.demo) && r.confirmed() == nil}
	fmt.Fprintf(&x.out, "%s\n", text)
	for _, n := range asked.Query.Explain() {
		x.node(n, 0)
	}
	if x.err != nil || !x.counts {
		return x.out.String(), x.err
	}
	began := time.Now()
	err = r.guard.Read(ctx, everybody, consent.Request{Interaction: consent.Search, Type: path, Permission: consent.PermitSearch}, func(v *consent.View) error {
		page, err := asked.Query.Run(ctx, v, search.Cursor{}, r.search.Limits)
		if err == nil {
			fmt.Fprintf(&x.out, "first page: %d matches, %d included, in %s, unguarded\n", len(page.Matches), len(page.Included), time.Since(began).Round(time.Microsecond))
		}
		return err
	})
	return x.out.String(), err
}

// planned plans the search of one type that a text writes.
func (r *record) planned(ctx context.Context, p consent.Principal, text string) (typ string, asked search.PageRequest, err error) {
	typ, query, _ := strings.Cut(text, "?")
	params, err := search.ParseQuery(query)
	if err != nil {
		return typ, asked, err
	}
	if typ == "" || strings.Contains(typ, "/") {
		return typ, asked, errors.New("a search of one type is explained: Type?parameter=value&…")
	}
	asked, err = r.search.Plan(ctx, p, search.SearchTarget{Path: typ, Types: []string{typ}}, params, true)
	return typ, asked, err
}

// explaining writes one explanation.
type explaining struct {
	ctx    context.Context
	out    bytes.Buffer
	engine store.Engine
	counts bool
	err    error
}

func (x *explaining) line(depth int, format string, args ...any) {
	io.WriteString(&x.out, strings.Repeat("  ", depth))
	fmt.Fprintf(&x.out, format+"\n", args...)
}

func (x *explaining) node(n join.PlanNode, depth int) {
	words := []string{n.Kind}
	if n.Type != "" {
		words = append(words, n.Type, "(needs "+strings.Join(strings.Split(n.Permission, ""), " or ")+", guarded)")
	}
	if n.Detail != "" {
		words = append(words, n.Detail)
	}
	x.line(depth, "%s", strings.Join(words, ": "))
	if n.Where != nil && n.Type != "" {
		x.line(depth+1, "asks %s", index.DescribePred(n.Where))
		way, err := x.engine.Explain(x.ctx, store.Query{Type: n.Type, Where: n.Where})
		if err != nil && x.err == nil {
			x.err = err
		}
		x.way(n.Type, way, depth+1)
	}
	if n.Where != nil && n.Type == "" {
		x.line(depth+1, "asks %s", index.DescribePred(n.Where))
	}
	for _, of := range n.Children {
		x.node(of, depth+1)
	}
}

// mostCounted is up to how many documents of one key are counted.
const mostCounted = 100_000

func (x *explaining) way(typ string, w store.PlanNode, depth int) {
	text := w.Action
	if w.Index != "" {
		text += " " + w.Index
	}
	if w.Key != "" {
		text += ": " + index.Describe(w.Key)
	}
	if w.High != "" {
		text += " to before " + index.Describe(w.High)
	}
	if w.Verify {
		text += "; each candidate is verified"
	}
	if x.counts && w.Action == "walk" {
		text += x.counted(typ, w.Key)
	}
	x.line(depth, "%s", text)
	for _, of := range w.Children {
		x.way(typ, of, depth+1)
	}
}

func (x *explaining) counted(typ string, k store.Key) string {
	where := store.Pred(store.And{})
	if k != "" {
		where = store.Eq{Key: k}
	}
	n := 0
	err := x.engine.Read(x.ctx, func(s store.Snap) (err error) {
		n, err = s.Count(x.ctx, store.Query{Type: typ, Where: where, KeysOnly: true}, mostCounted)
		return err
	})
	if err != nil && x.err == nil {
		x.err = err
	}
	if n == mostCounted {
		return fmt.Sprintf(" [%d documents or more]", n)
	}
	return fmt.Sprintf(" [%d documents]", n)
}
