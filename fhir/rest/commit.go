package rest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/store"
)

// attempts is how often a write is tried that conflicts with others. The deadline of the request may
// end it earlier.
const attempts = 100

// commit decides, commits the changes atomically, and returns the answer for the first. After a
// conflict everything is done again. No changes mean that there was nothing to delete.
func (s *Server) commit(ctx context.Context, c *call, permission consent.Permission, prepare func(*consent.View) ([]consent.Change, error)) (*answer, error) {
	var a *answer
	err := s.retry(ctx, func() error {
		a = nil
		return s.cfg.Guard.Read(ctx, c.caller, c.writing(permission), func(v *consent.View) error {
			c.granted = v.Grant()
			changes, err := prepare(v)
			if err != nil {
				return err
			}
			_, err = v.Commit(ctx, changes, func(results []consent.Result) ([][]byte, error) {
				if len(changes) == 0 {
					changes, results = []consent.Change{{Kind: consent.ChangeDelete}}, []consent.Result{{}}
				}
				a = s.writeAnswer(c, v, changes[0], results[0])
				return s.recordOf(ctx, c, a, results)
			})
			if err == nil {
				a.recorded = s.cfg.Audit != nil
			}
			return err
		})
	})
	return a, err
}

// retry calls f again while it returns a conflict.
func (s *Server) retry(ctx context.Context, f func() error) error {
	for i := 0; ; i++ {
		err := f()
		if !errors.Is(err, store.ErrConflict) || i == attempts || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(min(i, 20)) * time.Millisecond):
		}
	}
}

// recordOf returns the audit record that a commit stores.
func (s *Server) recordOf(ctx context.Context, c *call, a *answer, results []consent.Result) ([][]byte, error) {
	if s.cfg.Audit == nil {
		return nil, nil
	}
	r := s.record(ctx, c, a, nil)
	for _, res := range results {
		if res.Written {
			r.Written = append(r.Written, audit.ItemOf(res.Doc, false, false))
		}
	}
	payload, err := s.cfg.Audit.Encode(r)
	return [][]byte{payload}, err
}

// writeAnswer returns the answer of a write (REST-060, 120, 123, 180).
func (s *Server) writeAnswer(c *call, v *consent.View, ch consent.Change, r consent.Result) *answer {
	a := &answer{status: 200, header: map[string]string{}}
	if r.Doc.Version > 0 {
		a.header = versionHeaders(r.Doc)
	}
	if r.Written {
		a.doc = r.Doc
	}
	if ch.Kind == consent.ChangeDelete {
		a.status = 204
		if !r.Written {
			a.header = nil
		}
		if c.prefer.ret == "OperationOutcome" {
			a.status, a.body = 200, fhir.Outcome([]fhir.Issue{{Severity: "information", Code: "informational", Text: "The resource is deleted."}})
		}
		return a
	}
	location := s.cfg.Base + "/" + r.Doc.Ref.String() + "/_history/" + strconv.FormatUint(r.Doc.Version, 10)
	switch {
	case r.Written && r.Doc.Origin != store.Updated:
		a.status = 201
		a.header["Location"] = location
	case ch.Kind == consent.ChangeFind:
		a.header["Location"] = location
	}
	ret := c.prefer.ret
	if ret == "" && c.entry {
		ret = "minimal"
	}
	switch {
	case ret == "minimal":
	case !v.Grant().May(r.Doc.Ref.Type, "r"), r.Doc.Body == nil: // VIS-011, SMART-285
		c.prefer.applied = strings.Replace(c.prefer.applied, "return="+c.prefer.ret, "return=minimal", 1)
	case ret == "OperationOutcome":
		a.body = fhir.Outcome(append([]fhir.Issue{{Severity: "information", Code: "informational", Text: "The resource is stored."}}, append(slices.Clone(c.warnings), v.Contradictions([]store.Doc{r.Doc})...)...))
	default:
		a.body = r.Doc.Body
		a.disclosed = []audit.Item{audit.ItemOf(r.Doc, false, v.MayHaveCut(r.Doc))}
	}
	return a
}
