package rest

import (
	"context"

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/store"
)

// txEntry is one entry of a transaction while it is resolved.
type txEntry struct {
	entry
	call     *call // as a request of its own
	handle   handler
	typ, id  string // of the URL; no id for a conditional form
	resource fhir.Resource
	change   consent.Change
	criteria *search.Query // criteria of a conditional form
	issues   []fhir.Issue  // of the resource, with the place of the entry
	first    int           // index of its first change
	changes  int           // how many it has
}

// transaction applies all entries or none (REST-221 to 234). It resolves ids, matches of criteria and
// references on a snapshot, and commits with these as preconditions. After a conflict it resolves
// again. Entries that read are answered afterwards, from the state after the commit (REST-238).
func (s *Server) transaction(ctx context.Context, c *call, entries []entry) (*answer, error) {
	steps, err := s.txEntries(ctx, c, entries)
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
				written = s.writtenEntries(c, v, steps, changes, results)
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

// resolve gives every entry its changes, deletions first (REST-221), then rewrites the references.
func (s *Server) resolve(ctx context.Context, v *consent.View, steps []*txEntry) ([]consent.Change, error) {
	r := &resolver{server: s, view: v, entries: steps, written: map[store.Ref]bool{}, deleted: map[store.Ref]bool{}, byFullURL: map[string]store.Ref{}}
	for _, deletes := range []bool{true, false} {
		for _, st := range steps {
			if (st.method == "DELETE") != deletes || st.handle != nil {
				continue
			}
			if err := r.addChanges(ctx, st); err != nil {
				return nil, atLocation(err, st.location)
			}
		}
	}
	l := &referenceRewriter{server: s, view: v, ids: r.byFullURL, changes: r.changes}
	for _, st := range steps {
		for i := st.first; i < st.first+st.changes; i++ {
			if ch := &r.changes[i]; ch.Kind == consent.ChangeCreate || ch.Kind == consent.ChangeUpdate {
				ch.Body = l.rewrite(st)
			}
		}
	}
	return r.changes, l.conditional(ctx)
}

func atLocation(err error, path string) error {
	if e, ok := fhir.AsError(err); ok {
		return e.At(path)
	}
	return err
}

// resolver collects the changes of one transaction.
type resolver struct {
	server           *Server
	view             *consent.View
	entries          []*txEntry
	changes          []consent.Change
	written, deleted map[store.Ref]bool
	byFullURL        map[string]store.Ref // by fullUrl
}

// addChanges adds the changes of an entry.
func (r *resolver) addChanges(ctx context.Context, st *txEntry) error {
	made, err := r.changesOf(ctx, st)
	if err != nil {
		return err
	}
	st.first, st.changes = len(r.changes), len(made)
	for _, ch := range made {
		ch.Location = st.location
		if ch.Kind != consent.ChangeFind && r.written[ch.Ref] {
			return fhir.Fault(400, "invalid", "The resource is written twice in one transaction.")
		}
		r.written[ch.Ref] = ch.Kind != consent.ChangeFind
		r.deleted[ch.Ref] = ch.Kind == consent.ChangeDelete
		if st.fullURL != "" && ch.Kind != consent.ChangeDelete {
			r.byFullURL[st.fullURL] = ch.Ref
		}
		if st.method == "PUT" {
			r.byFullURL[r.server.cfg.Base+"/"+ch.Ref.String()] = ch.Ref
		}
		r.changes = append(r.changes, ch)
	}
	return nil
}

func (r *resolver) changesOf(ctx context.Context, st *txEntry) ([]consent.Change, error) {
	switch {
	case st.method == "DELETE" && st.criteria != nil:
		return r.server.toDelete(ctx, r.view, st.change, st.criteria)
	case st.method == "PUT" && st.criteria != nil:
		ch, err := r.server.toUpdate(ctx, r.view, st.change, st.resource, st.criteria, r.deleted)
		return []consent.Change{ch}, err
	case st.method == "PATCH" && st.criteria != nil:
		ch, err := r.server.toPatch(ctx, r.view, st.change, st.criteria, r.deleted)
		return []consent.Change{ch}, err
	case st.method == "POST":
		ch, err := r.server.toCreate(ctx, r.view, st.resource, st.criteria, r.deleted)
		return []consent.Change{ch}, err
	}
	return []consent.Change{st.change}, nil
}

// writtenEntries returns the answers of the entries that write, by entry; nil for those that read.
func (s *Server) writtenEntries(c *call, v *consent.View, steps []*txEntry, changes []consent.Change, results []consent.Result) []*answer {
	out := make([]*answer, len(steps))
	for i, st := range steps {
		if st.handle != nil {
			continue
		}
		sub := &call{request: request{r: c.r, caller: c.caller, entry: true, interaction: consent.Create},
			negotiated: negotiated{prefer: c.prefer}, outcome: outcome{warnings: st.issues}}
		if st.changes == 0 {
			out[i] = s.writeAnswer(sub, v, consent.Change{Kind: consent.ChangeDelete}, consent.Result{})
			continue
		}
		out[i] = s.writeAnswer(sub, v, changes[st.first], results[st.first])
		if r := results[st.first]; r.Doc.Version > 0 {
			out[i].doc = r.Doc
		}
	}
	return out
}

// responses returns the response bundle. It runs the entries that read.
func (s *Server) responses(ctx context.Context, c *call, steps []*txEntry, written []*answer) []byte {
	b := fhir.NewBundle("transaction-response")
	for i, st := range steps {
		sub := &call{request: request{r: c.r, interaction: consent.Create}}
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

// txEntries reads every entry and makes the checks that need no patient (VIS-012).
func (s *Server) txEntries(ctx context.Context, c *call, entries []entry) ([]*txEntry, error) {
	out := make([]*txEntry, len(entries))
	full, exist := map[string]bool{}, map[string]bool{}
	var faults []fhir.Issue // of the resources, reported together
	for i, en := range entries {
		if err := timeoutError(ctx); err != nil {
			return nil, err
		}
		st, err := s.readTxEntry(ctx, c, en)
		if err == nil && (en.method == "POST" || en.method == "PUT") {
			if err := st.acceptPart(c.validation); err != nil {
				return nil, err
			}
			if faults = append(faults, errorsOf(st.issues)...); len(faults) >= fhir.MaxIssues {
				return nil, validate.Refused(faults)
			}
			err = s.prepareWrite(ctx, c, st)
		}
		if err != nil {
			return nil, atLocation(err, en.location)
		}
		if en.fullURL != "" && full[en.fullURL] {
			return nil, fhir.Fault(400, "invalid", "Two entries have one fullUrl.").At(en.location + ".fullUrl")
		}
		full[en.fullURL] = true
		if criteria := en.header.Get("If-None-Exist"); criteria != "" {
			key := st.typ + "?" + criteria
			if exist[key] {
				return nil, fhir.Fault(400, "invalid", "Two entries have the same ifNoneExist.").At(en.location + ".request.ifNoneExist")
			}
			exist[key] = true
		}
		out[i] = st
	}
	return out, validate.Refused(faults)
}
