package rest

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/fhir/search"
	"carerecord/fhir/validate"
	"carerecord/store"
)

// step is one entry of a transaction that is being resolved.
type step struct {
	entry
	typ, id  string // of the URL
	resource fhir.Resource
	change   consent.Change
	plan     *search.Plan // criteria of a conditional create
	issues   []fhir.Issue // of the resource, with the place of the entry
}

// transaction applies all entries or none (REST-221 to 234). It is resolved on
// a snapshot: ids, matches of conditional creates, references; and committed
// with all of that as preconditions. A lost race resolves it again.
func (s *Server) transaction(ctx context.Context, c *call, entries []entry) (*answer, error) {
	steps, err := s.steps(ctx, c, entries)
	if err != nil {
		return nil, err
	}
	var a *answer
	err = s.retry(ctx, func() error {
		return s.cfg.Guard.Read(ctx, c.caller, consent.Request{Interaction: consent.Transaction}, func(v *consent.View) error {
			c.granted = v.Grant()
			changes, err := s.resolve(ctx, v, steps)
			if err != nil {
				return err
			}
			_, err = v.Commit(ctx, changes, func(results []consent.Result) ([][]byte, error) {
				a = s.transactionAnswer(c, v, steps, changes, results)
				return s.recordTransaction(c, a, results)
			}, c.marks...)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	if a == nil { // nothing to write, nothing to record with it
		b := fhir.NewBundle("transaction-response")
		return &answer{status: 200, body: b.Bytes()}, nil
	}
	a.recorded = s.cfg.Trail != nil
	return a, nil
}

// steps reads every entry and tests what needs no patient (VIS-012).
func (s *Server) steps(ctx context.Context, c *call, entries []entry) ([]*step, error) {
	out := make([]*step, len(entries))
	full := map[string]bool{}
	exist := map[string]bool{}
	var faults []fhir.Issue // of the resources, told together
	for i, en := range entries {
		st, err := s.stepOf(ctx, c, en)
		if err == nil && en.method != "DELETE" {
			if err := st.acceptPart(c.validation); err != nil {
				return nil, err
			}
			if faults = append(faults, refusals(st.issues)...); len(faults) >= fhir.MaxIssues {
				return nil, validate.Refused(faults)
			}
			err = s.prepareWrite(st)
		}
		if err != nil {
			if e, ok := fhir.AsError(err); ok {
				return nil, e.At(en.place)
			}
			return nil, err
		}
		if en.fullURL != "" && full[en.fullURL] {
			return nil, fhir.Fault(400, "invalid", "Two entries have one fullUrl.").At(en.place + ".fullUrl")
		}
		full[en.fullURL] = true
		if criteria := en.header.Get("If-None-Exist"); criteria != "" {
			if key := st.typ + "?" + criteria; exist[key] {
				return nil, fhir.Fault(400, "invalid", "Two entries have the same ifNoneExist.").At(en.place + ".request.ifNoneExist")
			} else {
				exist[key] = true
			}
		}
		out[i] = st
	}
	return out, validate.Refused(faults)
}

func (s *Server) stepOf(ctx context.Context, c *call, en entry) (*step, error) {
	st := &step{entry: en}
	u, err := url.Parse("/" + en.url)
	if err != nil {
		return nil, fhir.Fault(400, "value", "The url of the request cannot be read.")
	}
	st.typ, st.id, _ = strings.Cut(strings.Trim(u.Path, "/"), "/")
	req := consent.Request{Type: st.typ, Write: true}
	switch {
	case en.method == "POST" && st.id == "" && u.RawQuery == "":
		req.Interaction, req.Letter = consent.Create, consent.CreateLetter
	case en.method == "PUT" && st.id != "" && u.RawQuery == "":
		req.Interaction, req.Letter = consent.Update, consent.UpdateLetter
	case en.method == "DELETE" && st.id != "" && u.RawQuery == "":
		req.Interaction, req.Letter = consent.Delete, consent.DeleteLetter
	default:
		return nil, fhir.Fault(400, "not-supported", "%s %s is not supported in a transaction.", en.method, u.Path)
	}
	if err := s.served(st.typ); err != nil {
		return nil, err
	}
	if err := s.cfg.Guard.Check(ctx, c.caller, req); err != nil {
		return nil, err
	}
	if en.method == "DELETE" {
		return st, st.prepareDelete()
	}
	if int64(len(en.resource)) > s.cfg.Limits.Resource {
		return nil, fhir.Fault(413, "too-long", "The resource is larger than %d bytes.", s.cfg.Limits.Resource)
	}
	return st, nil
}

func (st *step) prepareDelete() error {
	match, err := readIfMatch(st.header.Values("If-Match"))
	if err != nil {
		return err
	}
	st.change = consent.Change{Form: consent.ToDelete, Ref: store.Ref{Type: st.typ, ID: st.id}, IfMatch: match, Place: st.place}
	return nil
}

// prepareWrite makes the change of a POST or PUT whose resource was read.
func (s *Server) prepareWrite(st *step) error {
	var err error
	if st.method == "PUT" {
		ch, err := updateChange(fhir.Resource{Type: st.resource.Type, ID: st.resource.ID, Body: []byte("{}")}, st.typ, st.id, st.header)
		ch.Place = st.place
		st.change = ch
		if e, ok := fhir.AsError(err); ok && e.Issues[0].Expression != "" {
			return e.At("entry.resource")
		}
		return err
	}
	st.change = consent.Change{Form: consent.ToCreate, Place: st.place}
	if criteria := st.header.Values("If-None-Exist"); len(criteria) > 0 {
		st.plan, err = s.criteria(st.typ, criteria)
	}
	return err
}

// resolve gives every entry its identity, then rewrites the references.
func (s *Server) resolve(ctx context.Context, v *consent.View, steps []*step) ([]consent.Change, error) {
	deleted := map[store.Ref]bool{}
	for _, st := range steps {
		if st.change.Form == consent.ToDelete {
			deleted[st.change.Ref] = true
		}
	}
	changes := make([]consent.Change, len(steps))
	ids := map[string]store.Ref{} // by fullUrl
	written := map[store.Ref]bool{}
	for i, st := range steps {
		ch, err := s.identify(ctx, v, st, deleted)
		if err != nil {
			return nil, err
		}
		if ch.Form != consent.ToFind && written[ch.Ref] {
			return nil, fhir.Fault(400, "invalid", "The resource is written twice in one transaction.").At(st.place)
		}
		written[ch.Ref] = ch.Form != consent.ToFind
		if st.fullURL != "" && ch.Form != consent.ToDelete {
			ids[st.fullURL] = ch.Ref
		}
		if st.method == "PUT" {
			ids[s.cfg.Base+"/"+ch.Ref.String()] = ch.Ref
		}
		changes[i] = ch
	}
	l := &linker{server: s, view: v, ids: ids, changes: changes, steps: steps}
	for i, st := range steps {
		if changes[i].Form == consent.ToCreate || changes[i].Form == consent.ToUpdate {
			changes[i].Body = l.rewrite(st)
		}
	}
	return changes, l.conditional(ctx)
}

func (s *Server) identify(ctx context.Context, v *consent.View, st *step, deleted map[store.Ref]bool) (consent.Change, error) {
	ch := st.change
	if ch.Form != consent.ToCreate {
		return ch, nil
	}
	ch.Ref = store.Ref{Type: st.typ, ID: s.cfg.NewID()}
	if st.plan == nil {
		return ch, nil
	}
	refs, err := firstTwo(ctx, v, st.plan)
	if err != nil {
		return ch, err
	}
	switch {
	case len(refs) == 0:
		ch.Absent, ch.Claims = st.plan.Where(), st.plan.Claims
	case len(refs) == 1 && deleted[refs[0]]:
		// The one match goes in this transaction: deletes come first (REST-221).
	case len(refs) == 1:
		return consent.Change{Form: consent.ToFind, Ref: refs[0], Place: st.place}, nil
	default:
		return ch, fhir.Fault(412, "multiple-matches", "The criteria match more than one resource.").At(st.place)
	}
	return ch, nil
}

// linker rewrites the references of one transaction.
type linker struct {
	server  *Server
	view    *consent.View
	ids     map[string]store.Ref
	changes []consent.Change
	steps   []*step
	asks    map[string]string // conditional references and what they became
	where   map[string]string // place of each
}

// rewrite puts the final Type/id in the place of every link to an entry
// (REST-226, 228), and notes conditional references.
func (l *linker) rewrite(st *step) []byte {
	root := restRoot(st)
	return edit.Links(st.resource.Body, func(link edit.Link) string {
		if ref, ok := l.ids[link.Value]; ok {
			return ref.String()
		}
		if root != "" && !strings.Contains(link.Value, ":") {
			if ref, ok := l.ids[root+link.Value]; ok { // REST-227
				return ref.String()
			}
		}
		if link.Reference && conditional(link.Value) {
			if l.asks == nil {
				l.asks, l.where = map[string]string{}, map[string]string{}
			}
			l.asks[link.Value] = ""
			_, rest, _ := strings.Cut(link.Place(), ".")
			l.where[link.Value] = st.place + ".resource." + rest
		}
		return link.Value
	})
}

// restRoot is the base of an entry's RESTful fullUrl, with its last slash.
func restRoot(st *step) string {
	if !strings.HasPrefix(st.fullURL, "http") {
		return ""
	}
	at := strings.LastIndex(st.fullURL, "/"+st.typ+"/")
	if at < 0 {
		return ""
	}
	return st.fullURL[:at+1]
}

// conditional reports whether a reference is a search, Type?criteria.
func conditional(ref string) bool {
	typ, _, found := strings.Cut(ref, "?")
	return found && typ != "" && !strings.ContainsAny(typ, ":/#")
}

// conditional resolves the conditional references, on the state after the
// writes (REST-232): exactly one match is needed.
func (l *linker) conditional(ctx context.Context) error {
	if len(l.asks) == 0 {
		return nil
	}
	for ask := range l.asks {
		ref, err := l.find(ctx, ask)
		if err != nil {
			if e, ok := fhir.AsError(err); ok {
				return e.At(l.where[ask])
			}
			return err
		}
		l.asks[ask] = ref.String()
	}
	for i := range l.changes {
		if l.changes[i].Body == nil {
			continue
		}
		l.changes[i].Body = edit.Links(l.changes[i].Body, func(link edit.Link) string {
			if now := l.asks[link.Value]; link.Reference && now != "" {
				return now
			}
			return link.Value
		})
	}
	return nil
}

func (l *linker) find(ctx context.Context, ask string) (store.Ref, error) {
	typ, criteria, _ := strings.Cut(ask, "?")
	if err := l.server.served(typ); err != nil {
		return store.Ref{}, err
	}
	if !l.view.Grant().May(typ, "s") {
		return store.Ref{}, fhir.Fault(403, "forbidden", "The token may not search %s.", typ)
	}
	plan, err := l.server.criteria(typ, []string{criteria})
	if err != nil {
		return store.Ref{}, err
	}
	found := map[store.Ref]bool{}
	refs, err := firstTwo(ctx, l.view, plan)
	if err != nil {
		return store.Ref{}, err
	}
	for _, ref := range refs {
		found[ref] = true
	}
	for i, ch := range l.changes {
		if ch.Ref.Type != typ || ch.Form == consent.ToFind {
			continue
		}
		delete(found, ch.Ref)
		if ch.Form == consent.ToDelete {
			continue
		}
		row, err := l.view.Index().Index(typ, ch.Ref.ID, time.Time{}, ch.Body)
		if err != nil {
			return store.Ref{}, fmt.Errorf("key an entry: %w", err)
		}
		if store.Match(plan.Where(), row.Keys) {
			found[l.changes[i].Ref] = true
		}
	}
	switch len(found) {
	case 0:
		return store.Ref{}, fhir.Fault(422, "business-rule", "The reference %q has no match.", ask)
	case 1:
		for ref := range found {
			return ref, nil
		}
	}
	return store.Ref{}, fhir.Fault(412, "multiple-matches", "The reference %q has more than one match.", ask)
}

// noConditionalReferences refuses them outside a transaction (REST-233).
func noConditionalReferences(r fhir.Resource) error {
	if bytes.IndexByte(r.Body, '?') < 0 && !bytes.Contains(r.Body, []byte(`\u`)) {
		return nil // there is no question mark, escaped or not
	}
	var issues []fhir.Issue
	edit.Links(r.Body, func(link edit.Link) string {
		if link.Reference && conditional(link.Value) {
			issues = append(issues, fhir.Issue{Code: "invalid", Expression: link.Place(),
				Text: "A conditional reference can stand in a transaction only."})
		}
		return link.Value
	})
	if len(issues) > 0 {
		return &fhir.Error{Status: 400, Issues: issues[:min(len(issues), fhir.MaxIssues)]}
	}
	return nil
}

// transactionAnswer makes the response bundle.
func (s *Server) transactionAnswer(c *call, v *consent.View, steps []*step, changes []consent.Change, results []consent.Result) *answer {
	b := fhir.NewBundle("transaction-response")
	all := &answer{status: 200}
	sub := &call{r: c.r, caller: c.caller, prefer: c.prefer, entry: true, interaction: consent.Create}
	for i, r := range results {
		sub.warnings = steps[i].issues
		a := s.written(sub, v, changes[i], r)
		if r.Doc.Version > 0 {
			a.doc = r.Doc
		}
		s.responseEntry(b, sub, a)
		all.disclosed = append(all.disclosed, a.disclosed...)
	}
	all.body = b.Bytes()
	return all
}

func (s *Server) recordTransaction(c *call, a *answer, results []consent.Result) ([][]byte, error) {
	if s.cfg.Trail == nil {
		return nil, nil
	}
	r := s.record(c, a, nil)
	for _, res := range results {
		if res.Written {
			r.Written = append(r.Written, audit.ItemOf(res.Doc, false, false))
		}
	}
	payload, err := s.cfg.Trail.Encode(r)
	return [][]byte{payload}, err
}
