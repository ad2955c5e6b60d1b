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

// overHTTP starts an HTTP server for a side, which then gets all requests over the network.
func (w *side) overHTTP() {
	w.network = httptest.NewServer(w.handler)
	w.network.Client().Transport.(*http.Transport).DisableCompression = true // the question decides
	w.network.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

// closeServers ends the servers of sides.
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

// unpack decompresses an answer and checks its length. It then removes the header Content-Length, except from
// answers to HEAD.
func (w *side) unpack(out *httptest.ResponseRecorder, q question) {
	w.Helper()
	h := out.Header()
	if length := h.Get("Content-Length"); q.method == "HEAD" {
		return
	} else if length != "" && length != strconv.Itoa(out.Body.Len()) {
		w.Fatalf("%s: an answer of %d bytes says it has %s", q, out.Body.Len(), length)
	}
	h.Del("Content-Length")
	h.Set("Vary", strings.TrimSuffix(h.Get("Vary"), ", Accept-Encoding"))
	if h.Get("Content-Encoding") != "" {
		w.unzip(out, q)
	}
	if body := out.Body.Bytes(); bytes.HasPrefix(body, []byte("{\n")) { // _pretty
		h.Set("Indented", "yes")
		var flat bytes.Buffer
		w.must(json.Compact(&flat, body))
		*out.Body = flat
	}
}

// unzip decompresses a body.
func (w *side) unzip(out *httptest.ResponseRecorder, q question) {
	w.Helper()
	h := out.Header()
	if !q.acceptGzip || h.Get("Content-Encoding") != "gzip" {
		w.Fatalf("%s: the answer is packed by %s", q, h.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(out.Body)
	w.must(err)
	body, err := io.ReadAll(z)
	w.must(err)
	h.Del("Content-Encoding")
	out.Body.Reset()
	out.Body.Write(body)
}

// withoutSignalLength subtracts the length of the second signal from Content-Length in an answer to HEAD, if
// the answer to the same GET has the signal.
func withoutSignalLength(got, want string) string {
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
