package rest

import (
	"github.com/go-json-experiment/json/jsontext"

	"carerecord/conformance/validate"
	"carerecord/fhir"
)

// accept parses a body of a type and validates it under a mode. All faults are reported together
// (REST-003, 080 to 088). It returns the warnings, which are sent if the client prefers an
// OperationOutcome.
func accept(body []byte, typ string, mode validate.Mode) (fhir.Resource, []fhir.Issue, error) {
	r, err := parse(body, mode)
	if err != nil {
		return fhir.Resource{}, nil, err
	}
	if err := checkBody(r, typ); err != nil {
		return fhir.Resource{}, nil, err
	}
	issues := validate.Resource(r.Body, mode)
	return r, issues, validate.Refused(issues)
}

// acceptBundle parses a Bundle. Its entries are validated one by one later.
func acceptBundle(body []byte, mode validate.Mode) (fhir.Resource, error) {
	r, err := parse(body, mode)
	if err != nil {
		return fhir.Resource{}, err
	}
	if err := checkBody(r, "Bundle"); err != nil {
		return fhir.Resource{}, err
	}
	return r, validate.Refused(validate.Envelope(r.Body, mode))
}

// parse parses a body. In valid JSON the faults that Parse finds are left to validation, which reports
// them with its own.
func parse(body []byte, mode validate.Mode) (fhir.Resource, error) {
	r, err := fhir.Parse(body)
	if err != nil && isJSON(body) {
		if refused := validate.Refused(validate.Resource(body, mode)); refused != nil {
			return r, refused
		}
	}
	return r, err
}

// isJSON reports whether a body is JSON without repeated names in an object.
func isJSON(body []byte) bool { return jsontext.Value(body).IsValid() }

// acceptPart is accept for the resource of a transaction's entry. The bundle was parsed as a whole, so
// the resource is valid JSON. The expressions of issues begin with the entry.
func (st *txEntry) acceptPart(mode validate.Mode) error {
	var err error
	if st.resource, err = fhir.Part(st.entry.resource); err == nil {
		err = checkBody(st.resource, st.typ)
	}
	path := st.location + ".resource"
	if e, ok := fhir.AsError(err); ok {
		return e.At(path)
	}
	if issues := validate.Resource(st.resource.Body, mode); len(issues) > 0 {
		st.issues = (&fhir.Error{Issues: issues}).At(path).Issues
	}
	return err
}

// errorsOf returns all issues of a resource if one of them is an error, else none.
func errorsOf(issues []fhir.Issue) []fhir.Issue {
	if validate.Refused(issues) == nil {
		return nil
	}
	return issues
}
