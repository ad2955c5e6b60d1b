package rest

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/search"
)

const fhirJSON = "application/fhir+json"

// negotiate returns the media type of the answer by _format and Accept (REST-030 to 036), before any
// work is done.
func negotiate(h http.Header, params []search.Param) (string, error) {
	format, given := "", false
	for _, p := range params {
		if p.Name == "_format" && p.Value != "" {
			if given {
				return "", fhir.Fault(400, "invalid", "_format is repeated.")
			}
			format, given = p.Value, true
		}
	}
	if given {
		switch strings.ReplaceAll(format, " ", "+") {
		case "json", "text/json", "application/json", fhirJSON:
			return fhirJSON + "; charset=utf-8", nil
		}
		return "", fhir.Fault(406, "not-supported", "The format %q is not supported. Request %s.", format, fhirJSON)
	}
	accept := strings.Join(h.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return fhirJSON + "; charset=utf-8", nil
	}
	best := pick(accept)
	if best == "" {
		return "", fhir.Fault(406, "not-supported", "None of the accepted media types is supported. Accept %s.", fhirJSON)
	}
	return best + "; charset=utf-8", nil
}

// indent reads _pretty (REST-038).
func (c *call) indent(params []search.Param) error {
	value := ""
	for _, p := range params {
		if p.Name != "_pretty" || p.Value == "" {
			continue
		}
		if value != "" {
			return fhir.Fault(400, "invalid", "_pretty is repeated.")
		}
		if value = p.Value; value != "true" && value != "false" {
			return fhir.Fault(400, "value", "_pretty must be true or false, not %q.", value)
		}
	}
	c.pretty = value == "true"
	return nil
}

// offers are the media types of JSON, the preferred one first.
var offers = [...]string{fhirJSON, "application/json", "text/json"}

// pick returns the offer with the highest q-value; "" if none is above 0. The most specific range that
// matches an offer gives its q-value.
func pick(accept string) string {
	best, bestQ := "", 0.0
	for _, offer := range offers {
		q, specific := 0.0, -1
		for _, part := range strings.Split(accept, ",") {
			r, params, err := mime.ParseMediaType(strings.TrimSpace(part))
			if err != nil {
				continue
			}
			if v, ok := params["fhirversion"]; ok && v != "4.0" {
				continue
			}
			rank := specificity(r, offer)
			if rank <= specific {
				continue
			}
			specific, q = rank, quality(params)
		}
		if q > bestQ {
			best, bestQ = offer, q
		}
	}
	return best
}

// quality returns the q-value of a media range: 1 if it has none, 0 if it is not a number.
func quality(params map[string]string) float64 {
	text, ok := params["q"]
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return q
}

// specificity returns how specifically a media range matches an offer; -1 if it does not.
func specificity(r, offer string) int {
	typ, _, _ := strings.Cut(offer, "/")
	switch r {
	case offer:
		return 2
	case typ + "/*":
		return 1
	case "*/*":
		return 0
	}
	return -1
}

// bodyType checks the Content-Type of a resource body (REST-035, 036).
func bodyType(h http.Header) error {
	typ, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || typ != fhirJSON && typ != "application/json" {
		return fhir.Fault(415, "not-supported", "The body must be %s.", fhirJSON)
	}
	if cs, ok := params["charset"]; ok && !strings.EqualFold(cs, "utf-8") {
		return fhir.Fault(415, "not-supported", "The charset must be utf-8.")
	}
	if v, ok := params["fhirversion"]; ok && v != "4.0" {
		return fhir.Fault(415, "not-supported", "FHIR version %s is not supported. This server has 4.0.", v)
	}
	return nil
}

// prefer has the values of the Prefer headers (REST-060 to 065).
type prefer struct {
	ret     string // minimal, representation, OperationOutcome, or empty
	strict  bool
	applied string // the value of Preference-Applied
}

// readPrefer parses the Prefer headers. strict is the handling if they have none.
func readPrefer(h http.Header, strict bool) prefer {
	var p prefer
	handling := ""
	for _, part := range strings.FieldsFunc(strings.Join(h.Values("Prefer"), ","), func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		value = strings.Trim(value, `"`)
		switch {
		case name == "return" && p.ret == "" && (value == "minimal" || value == "representation" || value == "OperationOutcome"):
			p.ret = value
		case name == "handling" && handling == "":
			handling = value
		}
	}
	requested := handling == "strict" || handling == "lenient"
	p.strict = handling == "strict" || strict && !requested
	var applied []string
	if requested {
		applied = append(applied, "handling="+handling)
	}
	if p.ret != "" {
		applied = append(applied, "return="+p.ret)
	}
	p.applied = strings.Join(applied, ", ")
	return p
}
