package rest

import (
	"context"

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/store"
)

// step is one entry of a transaction that is being resolved.
type step struct {
	entry
	call     *call // as a request of its own
	handle   handler
	typ, id  string // of the URL; no id for a conditional form
	resource fhir.Resource
	change   consent.Change
	plan     *search.Plan // criteria of a conditional form
	issues   []fhir.Issue // of the resource, with the place of the entry
	first    int          // index of its first change
	changes  int          // how many it has
}

// transaction applies all entries or none (REST-221 to 234). It is resolved on
// a snapshot: ids, matches of criteria, references; and committed with all of
// that as preconditions. A lost race resolves it again. What only reads is
// answered afterwards, from what stands then (REST-238).
func (s *Server) transaction(ctx context.Context, c *call, entries []entry) (*answer, error) {
	steps, err := s.steps(ctx, c, entries)
	if err != nil {
		return nil, err
	}
	var written []*answer
	a := &answer{status: 200}
	err = s.retry(ctx, func() error {
		return s.cfg.Guard.Read(ctx, c.caller, consent.Request{Interaction: consent.Transaction}, func(v *consent.View) error {
			c.granted = v.Grant()
			changes, err := s.resolve(ctx, v, steps)
			if err != nil || len(changes) == 0 {
				return err
			}
			_, err = v.Commit(ctx, changes, func(results []consent.Result) ([][]byte, error) {
				written = s.writtenSteps(c, v, steps, changes, results)
				a.disclosed = nil
				for _, w := range written {
					if w != nil { // of an entry that writes
						a.disclosed = append(a.disclosed, w.disclosed...)
					}
				}
				return s.recordOf(ctx, c, a, results)
			}, c.marks...)
			a.recorded = err == nil && s.cfg.Audit != nil
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	a.body = s.responses(ctx, c, steps, written)
	return a, nil
}

// resolve gives every entry its identity, deletions first (REST-221), then
// rewrites the references.
func (s *Server) resolve(ctx context.Context, v *consent.View, steps []*step) ([]consent.Change, error) {
	r := &resolver{server: s, view: v, steps: steps, written: map[store.Ref]bool{}, deleted: map[store.Ref]bool{}, ids: map[string]store.Ref{}}
	for _, deletes := range []bool{true, false} {
		for _, st := range steps {
			if (st.method == "DELETE") != deletes || st.handle != nil {
				continue
			}
			if err := r.identify(ctx, st); err != nil {
				return nil, at(err, st.place)
			}
		}
	}
	l := &linker{server: s, view: v, ids: r.ids, changes: r.changes}
	for _, st := range steps {
		for i := st.first; i < st.first+st.changes; i++ {
			if ch := &r.changes[i]; ch.Kind == consent.ChangeCreate || ch.Kind == consent.ChangeUpdate {
				ch.Body = l.rewrite(st)
			}
		}
	}
	return r.changes, l.conditional(ctx)
}

func at(err error, place string) error {
	if e, ok := fhir.AsError(err); ok {
		return e.At(place)
	}
	return err
}

// resolver finds out what the entries of one transaction write.
type resolver struct {
	server           *Server
	view             *consent.View
	steps            []*step
	changes          []consent.Change
	written, deleted map[store.Ref]bool
	ids              map[string]store.Ref // by fullUrl
}

// identify makes the changes of an entry.
func (r *resolver) identify(ctx context.Context, st *step) error {
	made, err := r.made(ctx, st)
	if err != nil {
		return err
	}
	st.first, st.changes = len(r.changes), len(made)
	for _, ch := range made {
		ch.Location = st.place
		if ch.Kind != consent.ChangeFind && r.written[ch.Ref] {
			return fhir.Fault(400, "invalid", "The resource is written twice in one transaction.")
		}
		r.written[ch.Ref] = ch.Kind != consent.ChangeFind
		r.deleted[ch.Ref] = ch.Kind == consent.ChangeDelete
		if st.fullURL != "" && ch.Kind != consent.ChangeDelete {
			r.ids[st.fullURL] = ch.Ref
		}
		if st.method == "PUT" {
			r.ids[r.server.cfg.Base+"/"+ch.Ref.String()] = ch.Ref
		}
		r.changes = append(r.changes, ch)
	}
	return nil
}

func (r *resolver) made(ctx context.Context, st *step) ([]consent.Change, error) {
	switch {
	case st.method == "DELETE" && st.plan != nil:
		return r.server.toDelete(ctx, r.view, st.change, st.plan)
	case st.method == "PUT" && st.plan != nil:
		ch, err := r.server.toUpdate(ctx, r.view, st.change, st.resource, st.plan, r.deleted)
		return []consent.Change{ch}, err
	case st.method == "PATCH" && st.plan != nil:
		ch, err := r.server.toPatch(ctx, r.view, st.change, st.plan, r.deleted)
		return []consent.Change{ch}, err
	case st.method == "POST":
		ch, err := r.server.toCreate(ctx, r.view, st.resource, st.plan, r.deleted)
		return []consent.Change{ch}, err
	}
	return []consent.Change{st.change}, nil
}

// writtenSteps are the answers of the entries that write, in their order; nil
// for those that read.
func (s *Server) writtenSteps(c *call, v *consent.View, steps []*step, changes []consent.Change, results []consent.Result) []*answer {
	out := make([]*answer, len(steps))
	for i, st := range steps {
		if st.handle != nil {
			continue
		}
		sub := &call{r: c.r, caller: c.caller, prefer: c.prefer, entry: true, interaction: consent.Create, warnings: st.issues}
		if st.changes == 0 {
			out[i] = s.written(sub, v, consent.Change{Kind: consent.ChangeDelete}, consent.Result{})
			continue
		}
		out[i] = s.written(sub, v, changes[st.first], results[st.first])
		if r := results[st.first]; r.Doc.Version > 0 {
			out[i].doc = r.Doc
		}
	}
	return out
}

// responses makes the response bundle, and answers what reads.
func (s *Server) responses(ctx context.Context, c *call, steps []*step, written []*answer) []byte {
	b := fhir.NewBundle("transaction-response")
	for i, st := range steps {
		sub := &call{r: c.r, interaction: consent.Create}
		var a *answer
		switch {
		case st.handle != nil:
			sub, a = st.call, s.answer(ctx, st.call, st.handle, false)
		case written == nil: // nothing was there to be written
			a = &answer{status: 204}
		default:
			a = written[i]
		}
		s.responseEntry(b, sub, a)
	}
	return b.Bytes()
}

// steps reads every entry and tests what needs no patient (VIS-012).
func (s *Server) steps(ctx context.Context, c *call, entries []entry) ([]*step, error) {
	out := make([]*step, len(entries))
	full, exist := map[string]bool{}, map[string]bool{}
	var faults []fhir.Issue // of the resources, told together
	for i, en := range entries {
		if err := over(ctx); err != nil {
			return nil, err
		}
		st, err := s.stepOf(ctx, c, en)
		if err == nil && (en.method == "POST" || en.method == "PUT") {
			if err := st.acceptPart(c.validation); err != nil {
				return nil, err
			}
			if faults = append(faults, refusals(st.issues)...); len(faults) >= fhir.MaxIssues {
				return nil, validate.Refused(faults)
			}
			err = s.prepareWrite(ctx, c, st)
		}
		if err != nil {
			return nil, at(err, en.place)
		}
		if en.fullURL != "" && full[en.fullURL] {
			return nil, fhir.Fault(400, "invalid", "Two entries have one fullUrl.").At(en.place + ".fullUrl")
		}
		full[en.fullURL] = true
		if criteria := en.header.Get("If-None-Exist"); criteria != "" {
			key := st.typ + "?" + criteria
			if exist[key] {
				return nil, fhir.Fault(400, "invalid", "Two entries have the same ifNoneExist.").At(en.place + ".request.ifNoneExist")
			}
			exist[key] = true
		}
		out[i] = st
	}
	return out, validate.Refused(faults)
}
