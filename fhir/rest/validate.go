package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// validation has the parameters of $validate.
type validation struct {
	resource []byte // nil for none
	mode     string
	profile  string
}

// validate is POST of $validate, on a type or an id. It answers as the interaction that mode names
// would, without performing it (OPER-020, 022). It reads nothing that is stored, so it reveals nothing
// of it (VIS-009, SMART-300).
func (s *Server) validate(ctx context.Context, c *call) (*answer, error) {
	if err := s.checkType(c.typ); err != nil {
		return nil, err
	}
	if err := s.mayValidate(ctx, c); err != nil {
		return nil, err
	}
	q, err := s.readValidation(c)
	if err != nil {
		return nil, err
	}
	if err := q.check(c); err != nil {
		return nil, err
	}
	issues, err := s.verdict(ctx, c, q)
	if err != nil {
		return nil, err
	}
	if validate.Refused(issues) == nil {
		issues = append([]fhir.Issue{{Severity: "information", Code: "informational", Text: "The resource would be accepted."}}, issues...)
	}
	return &answer{status: 200, body: fhir.Outcome(issues)}, nil
}

// postOnly refuses a GET of an operation that only has POST (OPER-001).
func (s *Server) postOnly(_ context.Context, c *call) (*answer, error) {
	return nil, wrongMethod(c, http.MethodPost)
}

// mayValidate requires c, u or r on the type, and r for an instance (SMART-300).
func (s *Server) mayValidate(ctx context.Context, c *call) error {
	err := s.cfg.Guard.Check(ctx, c.caller, c.decision(consent.PermitRead))
	if c.id != "" {
		return err
	}
	for _, permission := range []consent.Permission{consent.PermitCreate, consent.PermitUpdate} {
		if err != nil && s.cfg.Guard.Check(ctx, c.caller, c.decision(permission)) == nil {
			return nil
		}
	}
	return err
}

// readValidation reads the body: a resource, or Parameters with one. The resource only has to be valid
// JSON.
func (s *Server) readValidation(c *call) (validation, error) {
	body, q := c.body, validation{}
	if body == nil {
		var err error
		if body, err = readBody(c.r, s.cfg.Limits.Resource); err != nil {
			return q, err
		}
		if len(body) > 0 {
			if err := bodyType(c.r.Header); err != nil {
				return q, err
			}
		}
	}
	for _, p := range c.params {
		switch p.Name {
		case "mode":
			q.mode = p.Value
		case "profile":
			q.profile = p.Value
		}
	}
	switch typ := gjson.GetBytes(body, "resourceType").Str; {
	case len(body) == 0:
		return q, nil
	case !isJSON(body):
		_, err := fhir.Parse(body)
		return q, err
	case typ != "Parameters":
		q.resource = body
		return q, nil
	}
	if err := validate.Refused(validate.Envelope(body, c.validation)); err != nil {
		return q, err
	}
	return q, q.read(body)
}

// read reads the parameters.
func (q *validation) read(body []byte) error {
	var err error
	gjson.GetBytes(body, "parameter").ForEach(func(_, p gjson.Result) bool {
		switch name := p.Get("name").Str; name {
		case "resource":
			if q.resource != nil {
				err = fhir.Fault(400, "invalid", "The parameter resource is repeated.")
			}
			if part := p.Get("resource"); part.Exists() {
				q.resource = []byte(part.Raw)
			}
		case "mode":
			q.mode = p.Get("valueCode").Str
		case "profile":
			if q.profile = p.Get("valueUri").Str; q.profile == "" {
				q.profile = p.Get("valueCanonical").Str
			}
		default:
			err = fhir.Fault(400, "not-supported", "$validate has no parameter %q: it has resource, mode and profile.", name)
		}
		return err == nil
	})
	return err
}

// check compares the parameters with each other and with the path.
func (q *validation) check(c *call) error {
	switch q.mode {
	case "", "create":
	case "update", "delete":
		if c.id == "" {
			return fhir.Fault(400, "invalid", "The mode %s needs an instance: POST to %s/[id]/$validate.", q.mode, c.typ)
		}
	case "profile":
		if q.profile == "" {
			return fhir.Fault(400, "required", "The mode profile needs the parameter profile.")
		}
	default:
		return fhir.Fault(400, "code-invalid", "The mode must be create, update, delete or profile.")
	}
	profile, _, _ := strings.Cut(q.profile, "|")
	if profile != "" && profile != "http://hl7.org/fhir/StructureDefinition/"+c.typ {
		return fhir.Fault(404, "not-found", "The profile is unknown.")
	}
	if q.resource == nil && q.mode != "delete" {
		return fhir.Fault(400, "required", "There is no resource to validate.")
	}
	return nil
}

// verdict returns the issues that the interaction would report about the requester and the content.
func (s *Server) verdict(ctx context.Context, c *call, q validation) ([]fhir.Issue, error) {
	req := map[string]consent.Request{
		"create": {Interaction: consent.Create, Type: c.typ, Permission: consent.PermitCreate, Write: true},
		"update": {Interaction: consent.Update, Type: c.typ, Permission: consent.PermitUpdate, Write: true},
		"delete": {Interaction: consent.Delete, Type: c.typ, Permission: consent.PermitDelete, Write: true},
	}
	if r, ok := req[q.mode]; ok {
		if err := s.cfg.Guard.Check(ctx, c.caller, r); err != nil {
			return reportedIssues(err)
		}
	}
	if q.resource == nil {
		return nil, nil
	}
	r, warnings, err := accept(q.resource, c.typ, c.validation)
	if err == nil && q.mode == "update" {
		_, err = updateChange(r, c.typ, c.id, http.Header{})
	} else if err == nil {
		err = noConditionalReferences(r)
	}
	if err == nil {
		err = s.cfg.Guard.CheckDefinition(store.Ref{Type: c.typ, ID: c.id}, r.Body)
	}
	if err != nil {
		return reportedIssues(err)
	}
	return warnings, nil
}

// reportedIssues returns the issues of a refusal that the client may read. Other errors are returned.
func reportedIssues(err error) ([]fhir.Issue, error) {
	if e, ok := fhir.AsError(err); ok && e.Status < 500 {
		return e.Issues, nil
	}
	return nil, err
}
