package rest

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/store"
)

// read is read, HEAD and conditional read (REST-111, 043).
func (s *Server) read(ctx context.Context, c *call) (*answer, error) {
	if strings.HasPrefix(c.id, "$") { // an unknown operation (OPER-001)
		return noRoute(ctx, c)
	}
	return s.readOne(ctx, c, func(v *consent.View) (store.Doc, error) {
		return v.Get(ctx, store.Ref{Type: c.typ, ID: c.id})
	})
}

// vread is the read of one version (REST-112).
func (s *Server) vread(ctx context.Context, c *call) (*answer, error) {
	version, err := strconv.ParseUint(c.version, 10, 64)
	if err != nil || strconv.FormatUint(version, 10) != c.version {
		version = 0 // an unknown version, after the checks that read no patient
	}
	return s.readOne(ctx, c, func(v *consent.View) (store.Doc, error) {
		if version == 0 {
			return store.Doc{}, store.ErrNotFound
		}
		return v.Version(ctx, store.Ref{Type: c.typ, ID: c.id}, version)
	})
}

func (s *Server) readOne(ctx context.Context, c *call, find func(*consent.View) (store.Doc, error)) (*answer, error) {
	if err := s.checkType(c.typ); err != nil {
		return nil, err
	}
	shape, err := c.shape()
	if err != nil {
		return nil, err
	}
	c.nameSelf()
	var a *answer
	err = s.cfg.Guard.Read(ctx, c.caller, c.decision(consent.PermitRead), func(v *consent.View) error {
		c.granted = v.Grant()
		if !fhir.ValidID(c.id) {
			return fhir.NotFound()
		}
		d, err := find(v)
		if err != nil {
			return err
		}
		a, err = readAnswer(c, v, d)
		switch {
		case err != nil || a.body == nil:
		case c.readsRaw():
			err = c.raw(a, d)
		default:
			a.body = shape.Cut(a.body)
		}
		return err
	})
	return a, err
}

// readAnswer returns the answer of a read: a version and its headers, 304 or 410.
func readAnswer(c *call, v *consent.View, d store.Doc) (*answer, error) {
	if d.Deleted() {
		e := fhir.Fault(410, "deleted", "The resource was deleted.")
		e.Header = map[string]string{"ETag": etag(d.Version)}
		return nil, e
	}
	a := &answer{status: 200, header: versionHeaders(d)}
	if notModified(c.r.Header, d) {
		a.status = 304
		return a, nil
	}
	a.body = d.Body
	a.disclosed = []audit.Item{audit.ItemOf(d, false, v.MayHaveCut(d))}
	return a, nil
}

// notModified reports whether a conditional read has the newest version already (REST-043). If-
// Modified-Since only counts without If-None-Match and with a valid date.
func notModified(h http.Header, d store.Doc) bool {
	if match := h.Values("If-None-Match"); len(match) > 0 {
		return noneMatch(match, d.Version)
	}
	requested := h.Get("If-Modified-Since")
	if requested == "" {
		return false
	}
	since, err := http.ParseTime(requested)
	return err == nil && !d.Updated.Truncate(time.Second).After(since)
}

// checkType refuses types that are not supported.
func (s *Server) checkType(typ string) error {
	if !s.capability.serves(typ) {
		return fhir.Fault(404, "not-supported", "Resource type %q is not supported.", typ)
	}
	return nil
}

// nameSelf notes the patient of a path Patient/[id].
func (c *call) nameSelf() {
	if c.typ == "Patient" {
		c.named = consent.NamedPatient{ID: c.id}
	}
}

// shape reads _elements and _summary of a read (REST-114). Other parameters are ignored, or refused
// under strict handling (REST-018).
func (c *call) shape() (search.ElementSelection, error) {
	var shape search.ElementSelection
	var unknown []string
	for _, p := range c.params {
		switch {
		case p.Name == "_format" || p.Name == "_pretty" || p.Value == "":
		case (p.Name == "_elements" || p.Name == "_summary") && p.Modifier == "":
			if p.Value == "count" && p.Name == "_summary" {
				return shape, fhir.Fault(400, "value", "_summary=count does not apply to a read.")
			}
			names, err := shape.ReadParam(p, func(name string) bool { return search.ElementOf(c.typ, name) })
			if err != nil {
				return shape, err
			}
			for _, name := range names {
				unknown = append(unknown, "_elements="+name)
			}
		default:
			unknown = append(unknown, p.Name)
		}
	}
	if c.prefer.strict && len(unknown) > 0 {
		return shape, fhir.Fault(400, "not-supported", "Unknown parameters: %s.", strings.Join(unknown, ", "))
	}
	if len(shape.Elements) == 0 {
		shape.Elements = nil
	}
	return shape, shape.Coherent()
}

func etag(version uint64) string { return `W/"` + strconv.FormatUint(version, 10) + `"` }

// versionHeaders returns ETag and Last-Modified (REST-040, 042).
func versionHeaders(d store.Doc) map[string]string {
	return map[string]string{"ETag": etag(d.Version), "Last-Modified": d.Updated.UTC().Truncate(time.Second).Format(http.TimeFormat)}
}

// noneMatch reports whether If-None-Match has the version, by weak comparison.
func noneMatch(values []string, version uint64) bool {
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == `"`+strconv.FormatUint(version, 10)+`"` {
			return true
		}
	}
	return false
}
