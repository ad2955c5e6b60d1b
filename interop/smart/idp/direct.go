package idp

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// recorded is the answer of a handler that runs inside the process.
type recorded struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *recorded) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. The first call decides.
func (w *recorded) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *recorded) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// call runs a handler with a request of a client and returns its answer.
func call(h http.Handler, r *http.Request) (*http.Response, error) {
	inside := r.Clone(r.Context())
	inside.RequestURI, inside.RemoteAddr, inside.Host = r.URL.RequestURI(), "127.0.0.1:0", r.URL.Host
	if inside.Body == nil {
		inside.Body = http.NoBody
	}
	defer inside.Body.Close()
	w := &recorded{header: http.Header{}}
	h.ServeHTTP(w, inside)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}
