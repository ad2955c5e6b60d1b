package law_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
)

// overHTTP starts an HTTP server for a side. All later requests are sent over the network.
func (w *side) overHTTP() {
	w.network = httptest.NewServer(w.handler)
	w.network.Client().Transport.(*http.Transport).DisableCompression = true // acceptGzip decides
	w.network.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

// closeServers closes the HTTP servers of sides.
func closeServers(sides ...*side) {
	for _, w := range sides {
		if w.network != nil {
			w.network.Close()
		}
	}
}

// roundTrip sends a request over the network and records the answer.
func (w *side) roundTrip(out *httptest.ResponseRecorder, r *http.Request) {
	w.Helper()
	if r.RequestURI = ""; r.ContentLength == 0 {
		r.Body = http.NoBody
	}
	answer, err := w.network.Client().Do(r)
	if err != nil {
		w.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	for name, values := range answer.Header {
		out.Header()[name] = values
	}
	out.WriteHeader(answer.StatusCode)
	out.Body.Write(body)
}

// normalizeBody decompresses an answer and checks its Content-Length. It then removes that header, except from
// answers to HEAD.
func (w *side) normalizeBody(out *httptest.ResponseRecorder, q question) {
	w.Helper()
	m := out.Header()
	if length := m.Get("Content-Length"); q.method == "HEAD" {
		return
	} else if length != "" && length != strconv.Itoa(out.Body.Len()) {
		w.Fatalf("%s: an answer of %d bytes has the Content-Length %s", q, out.Body.Len(), length)
	}
	m.Del("Content-Length")
	m.Set("Vary", strings.TrimSuffix(m.Get("Vary"), ", Accept-Encoding"))
	if m.Get("Content-Encoding") != "" {
		w.decompress(out, q)
	}
	if body := out.Body.Bytes(); bytes.HasPrefix(body, []byte("{\n")) { // _pretty
		m.Set("Indented", "yes")
		var flat bytes.Buffer
		w.noError(json.Compact(&flat, body))
		*out.Body = flat
	}
}

// decompress decompresses a body.
func (w *side) decompress(out *httptest.ResponseRecorder, q question) {
	w.Helper()
	m := out.Header()
	if !q.acceptGzip || m.Get("Content-Encoding") != "gzip" {
		w.Fatalf("%s: the answer has the unexpected Content-Encoding %s", q, m.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(out.Body)
	w.noError(err)
	body, err := io.ReadAll(z)
	w.noError(err)
	m.Del("Content-Encoding")
	out.Body.Reset()
	out.Body.Write(body)
}

// withoutNoticeLength subtracts the length of the notice S2 from Content-Length in an answer to HEAD, if
// the answer to the same GET has the notice.
func withoutNoticeLength(got, want string) string {
	const name = "Content-Length ["
	before, rest, found := strings.Cut(got, name)
	text, after, _ := strings.Cut(rest, "]")
	n, err := strconv.Atoi(text)
	if !found || err != nil {
		return got
	}
	for _, signal := range []string{"," + withheldEntry, `,"entry":[` + withheldEntry + "]"} {
		if bare := before + name + strconv.Itoa(n-len(signal)) + "]" + after; bare == want {
			return bare
		}
	}
	return got
}
