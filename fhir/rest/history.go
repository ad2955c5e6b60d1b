package rest

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/store"
)

// historyOfOne is the history of one resource (REST-200 to 207).
func (s *Server) historyOfOne(ctx context.Context, c *call) (*answer, error) {
	c.nameSelf()
	return s.history(ctx, c, consent.PermitRead, store.HistoryQuery{Type: c.typ, ID: c.id})
}

// historyOfType is the history of a type.
func (s *Server) historyOfType(ctx context.Context, c *call) (*answer, error) {
	return s.history(ctx, c, consent.PermitSearch, store.HistoryQuery{Type: c.typ})
}

// historyOfAll is the history of all types that the token may search
// (SMART-273).
func (s *Server) historyOfAll(ctx context.Context, c *call) (*answer, error) {
	return s.history(ctx, c, consent.PermitSearch, store.HistoryQuery{})
}

// historyRequest has the parameters of a history.
type historyRequest struct {
	path      string // below the base
	count     int
	since     time.Time
	from, end time.Time // of _at; from is zero for none
	before    *store.HistoryMark
	token     string
	query     string // of the first page
}

func (s *Server) history(ctx context.Context, c *call, permission consent.Permission, q store.HistoryQuery) (*answer, error) {
	path := "_history"
	if q.Type != "" {
		if err := s.checkType(c.typ); err != nil {
			return nil, err
		}
		path = strings.TrimSuffix(c.typ+"/"+q.ID, "/") + "/_history"
		if q.ID == "" {
			if err := s.cfg.Guard.CheckNamed(c.caller, c.typ); err != nil {
				return nil, err
			}
		}
	}
	request, err := s.readHistory(ctx, c, path)
	if err != nil {
		return nil, err
	}
	q.Since, q.Before = request.since, request.before
	var a *answer
	err = s.cfg.Guard.Read(ctx, c.caller, c.decision(permission), func(v *consent.View) error {
		c.granted = v.Grant()
		if q.ID != "" {
			if !fhir.ValidID(q.ID) {
				return fhir.NotFound()
			}
			if _, err := v.Get(ctx, store.Ref{Type: q.Type, ID: q.ID}); err != nil {
				return err
			}
		}
		a, err = s.historyPage(ctx, c, v, q, request)
		return err
	})
	return a, err
}

// versions yields the versions of a history: of one type, or merged of all types that the requester may
// search.
func (s *Server) versions(ctx context.Context, c *call, v *consent.View, q store.HistoryQuery, request historyRequest) iter.Seq2[store.Doc, error] {
	seq := v.History(ctx, q)
	if q.Type == "" {
		var streams []iter.Seq2[store.Doc, error]
		for _, typ := range s.capability.types {
			if mayList(c.caller, typ) {
				of := q
				of.Type = typ
				streams = append(streams, v.History(ctx, of))
			}
		}
		seq = store.Merge(streams, func(a, b store.Doc) int { return store.CompareMarks(a.HistoryMark(), b.HistoryMark()) })
	}
	if request.from.IsZero() {
		return seq
	}
	return currentDuring(ctx, v, seq, request.from, request.end)
}

// currentDuring keeps the versions that were current at some instant of a period (REST-205). A version
// is current until the next visible one.
func currentDuring(ctx context.Context, v *consent.View, seq iter.Seq2[store.Doc, error], from, end time.Time) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for d, err := range seq {
			keep := err != nil
			if err == nil && d.Updated.Before(end) {
				var until time.Time
				until, err = v.Superseded(ctx, d)
				keep = err != nil || until.IsZero() || until.After(from)
			}
			if keep && (!yield(d, err) || err != nil) {
				return
			}
		}
	}
}

var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// readHistory reads the parameters. None may be repeated (REST-204).
func (s *Server) readHistory(ctx context.Context, c *call, path string) (historyRequest, error) {
	request := historyRequest{path: path, count: s.cfg.Search.Limits.Page}
	params := c.params
	if len(params) == 1 && params[0].Name == search.PageParam {
		pos, err := s.cfg.Search.Sealer.Open(ctx, c.caller, params[0].Value)
		if err != nil {
			return request, err
		}
		typ, id, _ := strings.Cut(pos.Ref, "/")
		if pos.Path != path {
			return request, fhir.Fault(400, "invalid", "The page link belongs to another history.")
		}
		request.token = params[0].Value
		request.before = &store.HistoryMark{Updated: time.UnixMilli(pos.Updated).UTC(), Seq: pos.Seq, Ref: store.Ref{Type: typ, ID: id}, Version: pos.Version}
		if params, err = search.ParseQuery(pos.Query); err != nil {
			return request, err
		}
		if err := c.indent(params); err != nil {
			return request, err
		}
	}
	seen := map[string]bool{}
	var used []string
	for _, p := range params {
		if seen[p.Name] {
			return request, fhir.Fault(400, "invalid", "%s is repeated.", p.Name)
		}
		seen[p.Name] = true
		switch p.Name {
		case "_count":
			n, err := strconv.Atoi(p.Value)
			if err != nil || n < 1 {
				return request, fhir.Fault(400, "value", "_count must be a whole number above 0, not %q.", p.Value)
			}
			request.count = min(n, s.cfg.Search.Limits.PageMaximum)
		case "_since":
			text := strings.ReplaceAll(p.Value, " ", "+")
			t, err := time.Parse(time.RFC3339Nano, text)
			if err != nil || !instant.MatchString(text) {
				return request, fhir.Fault(400, "value", "_since must be an instant with a time zone, not %q.", p.Value)
			}
			request.since = t
		case "_format":
			continue
		case "_pretty": // on later pages too
		case "_at":
			var err error
			if request.from, request.end, err = s.cfg.Index.Period(strings.ReplaceAll(p.Value, " ", "+")); err != nil {
				return request, fhir.Fault(400, "value", "_at must be a date or an instant, not %q.", p.Value)
			}
		case "_list", "_sort":
			return request, fhir.Fault(400, "not-supported", "%s is not supported for a history.", p.Name)
		case search.PageParam:
			return request, fhir.Fault(400, "invalid", "A page link has no other parameters.")
		default:
			if c.prefer.strict {
				return request, fhir.Fault(400, "not-supported", "A history has no parameter %s.", p.Name)
			}
			continue
		}
		used = append(used, p.String())
	}
	request.query = strings.Join(used, "&")
	return request, nil
}

func (s *Server) historyPage(ctx context.Context, c *call, v *consent.View, q store.HistoryQuery, request historyRequest) (*answer, error) {
	var docs []store.Doc
	more := false
	for d, err := range s.versions(ctx, c, v, q, request) {
		if err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		if len(docs) == request.count {
			more = true
			break
		}
		docs = append(docs, d)
	}
	total, err := s.instanceTotal(ctx, c, v, q, request)
	if err != nil {
		return nil, err
	}
	b := fhir.NewBundle("history")
	b.Total(total)
	first := s.cfg.Base + "/" + request.path
	if request.query != "" {
		first += "?" + request.query
	}
	self := first
	if request.token != "" {
		self = s.cfg.Base + "/" + request.path + "?" + search.PageParam + "=" + request.token
	}
	b.Link("self", self)
	if more || request.token != "" {
		b.Link("first", first)
	}
	if more {
		m := docs[len(docs)-1].HistoryMark()
		token, err := s.cfg.Search.Sealer.Seal(ctx, c.caller, search.PageToken{Path: request.path, Query: request.query,
			Updated: m.Updated.UnixMilli(), Seq: m.Seq, Ref: m.Ref.String(), Version: m.Version})
		if err != nil {
			return nil, err
		}
		b.Link("next", s.cfg.Base+"/"+request.path+"?"+search.PageParam+"="+token)
	}
	a := &answer{status: 200, count: total}
	for _, d := range docs {
		s.historyEntry(b, d, v.SourceOf(d))
		if !d.Deleted() {
			a.disclosed = append(a.disclosed, audit.ItemOf(d, false, v.MayHaveCut(d)))
		}
	}
	a.body = b.Bytes()
	return a, nil
}

// instanceTotal counts the visible versions of one resource, for the first page. The history of a type
// has no total: counting would read all of it.
func (s *Server) instanceTotal(ctx context.Context, c *call, v *consent.View, q store.HistoryQuery, request historyRequest) (*int, error) {
	if q.ID == "" || request.token != "" {
		return nil, nil
	}
	//law:history-count
	n := 0
	for _, err := range s.versions(ctx, c, v, store.HistoryQuery{Type: q.Type, ID: q.ID, Since: q.Since}, request) {
		if err != nil {
			return nil, fmt.Errorf("count a history: %w", err)
		}
		n++
	}
	return &n, nil
}

// historyEntry adds the entry of one version (REST-201, 202). source is the organisation that the entry names;
// empty for none.
func (s *Server) historyEntry(b *fhir.Bundle, d store.Doc, source string) {
	method, status, url := "PUT", "200 OK", d.Ref.String()
	switch d.Origin {
	case store.Created:
		method, status, url = "POST", "201 Created", d.Ref.Type
	case store.Updated:
	case store.Upserted:
		status = "201 Created"
	case store.Deleted:
		method, status = "DELETE", "204 No Content"
	}
	var members []string
	if extension := fhir.SourceExtension(s.cfg.Base, source); extension != "" {
		members = append(members, extension)
	}
	members = append(members, `"fullUrl":`+fhir.Quoted(s.cfg.Base+"/"+d.Ref.String()))
	if !d.Deleted() {
		members = append(members, `"resource":`+string(d.Body))
	}
	members = append(members,
		`"request":{"method":"`+method+`","url":`+fhir.Quoted(url)+`}`,
		`"response":{"status":"`+status+`","etag":`+fhir.Quoted(etag(d.Version))+`,"lastModified":"`+d.Updated.UTC().Format(fhir.InstantFormat)+`"}`)
	b.Entry(members...)
}
