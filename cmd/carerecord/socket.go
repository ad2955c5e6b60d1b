package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"carerecord/consent/audit"
	"carerecord/fhir/validate"
	"carerecord/interop/smart"
)

// socketFile is the socket of a running server: in the folder of a Pebble
// store, or beside the keys under a name of the MongoDB record's own; of mode
// 0600. Commands that need the store talk to the server over it,
// since an embedded store has one owner.
func socketFile(s settings) string {
	if s.place.folder != "" {
		return filepath.Join(s.place.folder, "carerecord.sock")
	}
	sum := sha256.Sum256([]byte(s.place.address))
	return filepath.Join(s.keysDir, fmt.Sprintf("carerecord-%x.sock", sum[:4]))
}

// listenSocket serves the operator's requests until the returned function is
// called.
func (r *record) listenSocket(s settings) (func(), error) {
	file := socketFile(s)
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("remove an old socket: %w", err)
	}
	l, err := net.Listen("unix", file)
	if err != nil {
		return nil, fmt.Errorf("listen on the socket: %w", err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	server := &http.Server{Handler: r.held.whileHeld(r.operator(s))}
	go server.Serve(l) // ends with Close
	return func() { server.Close() }, nil
}

// operator answers on the socket.
func (r *record) operator(s settings) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, q *http.Request) {
		var spec smart.Spec
		if err := json.NewDecoder(q.Body).Decode(&spec); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		token, err := r.issue(q.Context(), s, spec)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		fmt.Fprint(w, token)
	})
	mux.HandleFunc("GET /audit", func(w http.ResponseWriter, q *http.Request) {
		report, err := audit.Verify(q.Context(), r.engine)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(report)
	})
	r.reindexRoutes(mux)
	r.explainRoutes(mux, s)
	r.backupRoutes(mux, s)
	mux.HandleFunc("POST /load", func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var mode validate.Mode
		if err := mode.UnmarshalText([]byte(q.URL.Query().Get("validation"))); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out := r.loadBundle(q.Context(), q.URL.Query().Get("source"), q.URL.Query().Get("mark"), body, mode)
		json.NewEncoder(w).Encode(out)
	})
	return mux
}

// issue makes a token, on a demo store only.
func (r *record) issue(ctx context.Context, s settings, spec smart.Spec) (string, error) {
	if !s.demo {
		return "", errors.New("tokens are printed for a --demo store only")
	}
	return r.tokens.Issue(ctx, spec)
}

// socketClient talks to the server that holds a store; nil if none does.
func socketClient(s settings) *http.Client {
	file := socketFile(s)
	conn, err := net.Dial("unix", file)
	if err != nil {
		return nil
	}
	conn.Close()
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", file)
	}}}
}

// ask sends one request over the socket and returns the body of a 200.
func ask(ctx context.Context, client *http.Client, method, path string, body []byte) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, method, "http://carerecord"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(q)
	if err != nil {
		return nil, fmt.Errorf("ask the running server: %w", err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("ask the running server: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", bytes.TrimSpace(out))
	}
	return out, nil
}
