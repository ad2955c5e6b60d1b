package oauth

import (
	"encoding/json"
	"log/slog"
	"net/http"
)

// Handler answers a request or returns an error, which Serve makes an answer of.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Serve returns an http.HandlerFunc. Errors are JSON (RFC 6749, section 5.2), a panic is a 500
// without internals (SMART-480), and the log gets causes but nothing of the request (SMART-495).
func Serve(log *slog.Logger, h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				log.Error("an OAuth endpoint failed", "path", r.URL.Path, "panic", p)
				WriteError(w, AsError(nil))
			}
		}()
		err := h(w, r)
		if err == nil {
			return
		}
		e := AsError(err)
		if e.Status >= 500 {
			log.Error("an OAuth endpoint failed", "path", r.URL.Path, "error", err)
		} else {
			log.Info("an OAuth request was refused", "path", r.URL.Path, "code", e.Code, "reason", e.Cause)
		}
		WriteError(w, e)
	}
}

// WriteJSON answers with a JSON object that nobody may store (SMART-312).
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
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
func WriteError(w http.ResponseWriter, e *Error) {
	for name, values := range e.Header {
		w.Header()[name] = values
	}
	// A map of strings can be written as JSON.
	_ = WriteJSON(w, e.Status, map[string]string{"error": e.Code, "error_description": e.Description})
}
