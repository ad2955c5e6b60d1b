package oauth

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
)

// Handler answers a request or returns an error, which Serve makes an answer of.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Answers makes the answers of OAuth endpoints. It is safe for concurrent use.
type Answers struct {
	Log *slog.Logger
	// Help is the address of a page about the error codes, for error_uri (SMART-316); empty for none.
	Help string
	// Refused is called with each refusal before it is answered. May be nil.
	Refused func(r *http.Request, e *Error)
}

// Serve returns an http.HandlerFunc. Errors are JSON (RFC 6749, section 5.2), a panic is a 500
// without internals (SMART-480), and the log gets causes but nothing of the request (SMART-495).
func (a Answers) Serve(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				a.Log.Error("an OAuth endpoint failed", "path", r.URL.Path, "panic", p)
				a.WriteError(w, AsError(nil))
			}
		}()
		err := h(w, r)
		if err == nil {
			return
		}
		e := AsError(err)
		if e.Status >= 500 {
			a.Log.Error("an OAuth endpoint failed", "path", r.URL.Path, "error", err)
		} else {
			a.Log.Info("an OAuth request was refused", "path", r.URL.Path, "code", e.Code, "reason", e.reason())
			if a.Refused != nil {
				a.Refused(r, e)
			}
		}
		a.WriteError(w, e)
	}
}

// WriteJSON answers with a JSON object that nobody may store (SMART-312). Addresses in it are readable: & stays as it is.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	h := w.Header()
	h.Set("Content-Type", "application/json")
	NoStore(h)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have closed the connection
	return nil
}

// NoStore sets the headers that forbid every cache.
func NoStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
}

// WriteError answers with an error.
func (a Answers) WriteError(w http.ResponseWriter, e *Error) {
	for name, values := range e.Header {
		w.Header()[name] = values
	}
	body := map[string]string{"error": e.Code, "error_description": e.Description}
	if a.Help != "" {
		body["error_uri"] = a.Help
	}
	_ = WriteJSON(w, e.Status, body) // a map of strings can be written as JSON
}
