package rest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"carerecord/fhir"
)

// write sends an answer. HEAD has the headers of GET and no body (REST-016).
func (s *Server) write(w http.ResponseWriter, c *call, a *answer) {
	h := w.Header()
	h["Vary"] = append(s.headers.vary, h["Vary"]...) // of an origin too
	h["Cache-Control"] = s.headers.private
	h["X-Content-Type-Options"] = s.headers.nosniff
	if a.public {
		h.Set("Cache-Control", "no-cache")
	}
	for k, v := range a.header {
		h.Set(k, v)
	}
	s.cfg.CORS.Keep(h, c.r, c.caller.Client, a.status)
	if c.prefer.applied != "" && a.status < 400 {
		h.Set("Preference-Applied", c.prefer.applied)
	}
	body := a.body
	if len(body) > 0 {
		h.Set("Content-Type", cmp.Or(a.contentType, c.contentType))
		if c.pretty && a.contentType == "" && len(body) <= maxIndented {
			body = indented(body)
		}
		if len(body) >= minGzip && acceptsGzip(c.r.Header) {
			body = gzipped(body)
			h.Set("Content-Encoding", "gzip")
			h.Add("Vary", "Accept-Encoding")
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.status)
	if c.r.Method != http.MethodHead && len(body) > 0 {
		if _, err := w.Write(body); err != nil {
			s.cfg.Log.Debug("client closed the connection", "request", c.requestID)
		}
	}
}

// commonHeaders are values of headers that every answer has, made once. Each has no spare capacity, so
// appending to one copies it.
type commonHeaders struct{ vary, private, nosniff []string }

func newCommonHeaders() commonHeaders {
	return commonHeaders{vary: []string{"Accept, Authorization"}, private: []string{"private, no-store"}, nosniff: []string{"nosniff"}}
}

// maxIndented is the largest answer in bytes that is indented. Deep nesting multiplies its size.
const maxIndented = 4 << 20

// indented indents JSON. Names, numbers and strings keep their characters (REST-038). A body that is
// not JSON is returned unchanged.
func indented(body []byte) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return body
	}
	return out.Bytes()
}

// minGzip is the smallest answer in bytes that is compressed.
const minGzip = 1 << 10

// acceptsGzip reads Accept-Encoding (REST-022).
func acceptsGzip(h http.Header) bool {
	for _, part := range strings.Split(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" || name == "*" {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}

// gzipWriters are reusable writers.
var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is legal
	}
	return w
}}

func gzipped(body []byte) []byte {
	var out bytes.Buffer
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	w.Reset(&out)
	w.Write(body) // a Buffer takes everything
	w.Close()
	return out.Bytes()
}

// decompress returns a reader of the decoded body. Limits apply to the decoded bytes (LIM-002).
func decompress(r *http.Request) (io.ReadCloser, error) {
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
		return r.Body, nil
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "structure", Text: "The body is not valid gzip, as Content-Encoding declares."}}, Cause: err}
		}
		return z, nil
	}
	return nil, fhir.Fault(415, "not-supported", "Content-Encoding %q is not supported. Use gzip or identity.", r.Header.Get("Content-Encoding"))
}
