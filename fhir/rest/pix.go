package rest

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/search"
	"carerecord/store"
)

// crossReference is Patient/$ihe-pix: the identifiers and ids of all visible Patients of the persons who have an
// identifier (IDN-121; IHE PIXm, transaction ITI-83).
func (s *Server) crossReference(ctx context.Context, c *call) (*answer, error) {
	if err := s.readParameters(ctx, c); err != nil {
		return nil, err
	}
	request, err := s.readPIX(c)
	if err != nil {
		return nil, err
	}
	c.named = request.named
	var a *answer
	err = s.cfg.Guard.Read(ctx, c.caller, c.decision(consent.PermitSearch), func(v *consent.View) error {
		c.granted = v.Grant()
		patients, err := v.PatientsByIdentifier(ctx, request.system, request.value, request.where, s.cfg.Search.Limits.PageMaximum)
		switch {
		case errors.Is(err, consent.ErrManyPatients):
			return fhir.Fault(422, "too-costly", "More than %d Patients have the identifier.", s.cfg.Search.Limits.PageMaximum)
		case err != nil:
			return err
		case len(patients) == 0:
			return fhir.Fault(404, "not-found", "sourceIdentifier Patient Identifier not found")
		}
		a = &answer{status: 200, body: request.parameters(patients)}
		for _, d := range patients {
			a.disclosed = append(a.disclosed, audit.ItemOf(d, false, v.MayHaveCut(d)))
		}
		return nil
	})
	return a, err
}

// pixRequest has the parameters of $ihe-pix.
type pixRequest struct {
	system, value string // of sourceIdentifier
	targets       []string
	named         consent.NamedPatient
	where         store.Pred // matches the Patients that have the identifier
}

// readPIX reads the parameters of $ihe-pix. The system of this server is its base, whose identifiers are
// Patient/[id]. Any other system is known: which ones the record has would reveal hidden Patients.
func (s *Server) readPIX(c *call) (pixRequest, error) {
	var r pixRequest
	given := 0
	for _, p := range c.params {
		switch {
		case p.Name == "_format" || p.Name == "_pretty":
		case p.Name == "sourceIdentifier" && p.Modifier == "":
			given++
			if system, value, found := strings.Cut(p.Value, "|"); found {
				r.system, r.value = system, value
			}
		case p.Name == "targetSystem" && p.Modifier == "":
			if u, err := url.Parse(p.Value); err != nil || !u.IsAbs() {
				return r, fhir.Fault(403, "code-invalid", "targetSystem not found")
			}
			r.targets = append(r.targets, p.Value)
		default:
			return r, search.NotSupported(p, "is not a parameter of $ihe-pix")
		}
	}
	switch {
	case given == 0:
		return r, fhir.Fault(400, "required", "$ihe-pix needs sourceIdentifier=system|value.")
	case given > 1:
		return r, fhir.Fault(400, "invalid", "sourceIdentifier is repeated.")
	case r.system == "":
		return r, fhir.Fault(400, "code-invalid", "sourceIdentifier Assigning Authority not found")
	case r.value == "":
		return r, fhir.Fault(400, "value", "sourceIdentifier has no value.")
	}
	q := index.Query{Type: "Patient", Name: "identifier", Values: []string{index.Escape(r.system) + "|" + index.Escape(r.value)}}
	id, own := strings.CutPrefix(r.value, "Patient/")
	if own = own && r.system == s.cfg.Base && fhir.ValidID(id); own {
		q = index.Query{Type: "Patient", Name: "_id", Values: []string{index.Escape(id)}}
	}
	var err error
	if r.where, err = s.cfg.Index.Predicate(q); err != nil {
		return r, fhir.Fault(400, "value", "sourceIdentifier: %v", err)
	}
	if r.named = (consent.NamedPatient{Where: r.where, System: r.system, Value: r.value}); own {
		r.named = consent.NamedPatient{ID: id}
	}
	return r, nil
}

// parameters writes the answer: each identifier of the Patients once, but for the one of the request, then the ids
// of the Patients.
func (r pixRequest) parameters(patients []store.Doc) []byte {
	type identifier struct{ system, value string }
	seen := map[identifier]bool{{r.system, r.value}: true}
	var out []string
	for _, d := range patients {
		for _, id := range gjson.GetBytes(d.Body, "identifier").Array() {
			key := identifier{id.Get("system").Str, id.Get("value").Str}
			if key.system == "" || key.value == "" || seen[key] || r.targets != nil && !slices.Contains(r.targets, key.system) {
				continue
			}
			seen[key] = true
			out = append(out, `{"name":"targetIdentifier","valueIdentifier":`+id.Raw+`}`)
		}
	}
	for _, d := range patients {
		out = append(out, `{"name":"targetId","valueReference":{"reference":`+fhir.Quoted(d.Ref.String())+`}}`)
	}
	return []byte(`{"resourceType":"Parameters","parameter":[` + strings.Join(out, ",") + `]}`)
}
