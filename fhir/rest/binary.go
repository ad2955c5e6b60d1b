package rest

import (
	"encoding/base64"
	"mime"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/store"
)

// A Binary is read as its content, with the content's type, unless the client requests FHIR, and is
// written as content of any type or as FHIR (REST-253).

// readsRaw reports whether a call reads the content of a Binary and not its FHIR form, by _format and
// Accept.
func (c *call) readsRaw() bool {
	if c.typ != "Binary" || c.entry || c.interaction != consent.Read && c.interaction != consent.VRead {
		return false
	}
	for _, p := range c.params {
		if p.Name == "_format" && p.Value != "" {
			return false
		}
	}
	for _, part := range strings.Split(strings.Join(c.r.Header.Values("Accept"), ","), ",") {
		typ, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err == nil && specificity(typ, typ) >= 0 && isFHIR(typ) && quality(params) > 0 {
			return false
		}
	}
	return true
}

// isFHIR reports whether a media type is one of FHIR, supported or not.
func isFHIR(typ string) bool {
	for _, offer := range offers {
		if typ == offer {
			return true
		}
	}
	return typ == "application/fhir+xml"
}

// raw replaces the answer of a read by the content of a Binary. Headers keep a browser from executing
// it.
func (c *call) raw(a *answer, d store.Doc) error {
	if a.body == nil { // 304
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(gjson.GetBytes(d.Body, "data").Str), ""))
	if err != nil {
		return fhir.Fault(406, "not-supported", "The data of this Binary cannot be decoded. Request it as %s.", fhirJSON)
	}
	typ := gjson.GetBytes(d.Body, "contentType").Str
	if _, _, err := mime.ParseMediaType(typ); err != nil {
		typ = "application/octet-stream"
	}
	if !accepts(c.r.Header, typ) {
		return fhir.Fault(406, "not-supported", "The content type of the Binary is not acceptable. Accept its own type, or %s.", fhirJSON)
	}
	a.body, a.contentType = data, typ
	a.header["Content-Type"] = typ // of no bytes too
	a.header["Content-Disposition"] = `attachment; filename="` + d.Ref.ID + `"`
	a.header["Content-Security-Policy"] = "default-src 'none'; sandbox"
	if ref := printable(gjson.GetBytes(d.Body, "securityContext.reference").Str); ref != "" {
		a.header["X-Security-Context"] = ref
	}
	return nil
}

// accepts reports whether Accept allows a type. The most specific matching range decides.
func accepts(h http.Header, contentType string) bool {
	accept := strings.Join(h.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return true
	}
	typ, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	best, q := -1, 0.0
	for _, part := range strings.Split(accept, ",") {
		r, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		if rank := specificity(r, typ); rank > best {
			best, q = rank, quality(params)
		}
	}
	return q > 0
}

// writesRaw reports whether the body of a write is the content of a Binary: of a type that is not
// FHIR, or JSON of another resource type or of none.
func (c *call) writesRaw(body []byte) (bool, error) {
	if c.typ != "Binary" {
		return false, nil
	}
	typ, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch {
	case err != nil || !strings.Contains(typ, "/"):
		return false, fhir.Fault(415, "not-supported", "Raw content of a Binary needs a Content-Type.")
	case typ == fhirJSON:
		return false, nil
	case typ == "application/fhir+xml":
		return false, fhir.Fault(415, "not-supported", "FHIR resources must be sent as %s.", fhirJSON)
	case typ == "application/json":
		return gjson.GetBytes(body, "resourceType").Str != "Binary", nil
	}
	return true, nil
}

// rawBinary returns a Binary with the content of a write.
func (c *call) rawBinary(body []byte) ([]byte, error) {
	contexts := c.r.Header.Values("X-Security-Context")
	if len(contexts) > 1 {
		return nil, fhir.Fault(400, "invalid", "X-Security-Context is repeated.")
	}
	out := []byte(`{"resourceType":"Binary"`)
	if c.id != "" {
		out = append(append(out, `,"id":`...), fhir.Quoted(c.id)...)
	}
	out = append(append(out, `,"contentType":`...), fhir.Quoted(c.r.Header.Get("Content-Type"))...)
	if len(contexts) == 1 {
		out = append(append(append(out, `,"securityContext":{"reference":`...), fhir.Quoted(contexts[0])...), '}')
	}
	if len(body) > 0 {
		out = append(out, `,"data":"`...)
		out = append(base64.StdEncoding.AppendEncode(out, body), '"')
	}
	if c.prefer.ret == "" { // the sender has the bytes
		c.prefer.ret = "minimal"
	}
	return append(out, '}'), nil
}

// rawLimit is the largest content of a Binary in bytes, so that its FHIR form is no larger than a
// resource may be.
func rawLimit(resource int64) int64 { return max(0, resource-1024) / 4 * 3 }

// formatOf negotiates the type of the answer before any work. The type of a Binary's content is only
// known once it is found; errors are sent as FHIR.
func (c *call) formatOf(params []search.Param) (string, error) {
	if c.readsRaw() {
		return fhirJSON + "; charset=utf-8", nil
	}
	return negotiate(c.r.Header, params)
}
