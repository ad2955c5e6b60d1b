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

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/consent/audit"
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
	known := routes{}
	for _, op := range r.operations(s) {
		known[op.pattern] = r.recording(op)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		handle, _ := known.find(q)
		if handle == nil {
			handle = known[unknownOperation]
		}
		handle(w, q)
	})
}

// unknownOperation is the pattern of every request that is none of the others.
const unknownOperation = "/"

// operations is the table of what an operator may ask on the socket.
func (r *record) operations(s settings) []operation {
	return []operation{
		{pattern: "POST /token", name: "token-issue", itself: true, handle: func(w http.ResponseWriter, q *http.Request) { r.answerToken(w, q, s) }},
		{pattern: "GET /audit", name: "audit-verify", handle: r.answerAudit},
		{pattern: "GET /reindex", name: "reindex-status", handle: func(w http.ResponseWriter, q *http.Request) { r.answerStatus(q.Context(), w) }},
		{pattern: "POST /reindex", name: "reindex", before: true, handle: r.answerReindex},
		{pattern: "GET /explain", name: "explain", itself: true, handle: func(w http.ResponseWriter, q *http.Request) { r.answerExplain(w, q, s) }},
		{pattern: "POST /backup", name: "backup", before: true, handle: func(w http.ResponseWriter, q *http.Request) { r.answerBackup(w, q, s) }},
		{pattern: "POST /restore/confirm", name: "confirm-restore", itself: true, handle: r.answerConfirm},
		{pattern: "POST /load", name: "load", itself: true, handle: r.answerLoad},
		{pattern: unknownOperation, name: "unknown", handle: http.NotFound},
	}
}

func (r *record) answerToken(w http.ResponseWriter, q *http.Request, s settings) {
	var spec smart.Spec
	if err := json.NewDecoder(q.Body).Decode(&spec); err != nil {
		r.refused(w, q, "token-issue", err)
		return
	}
	token, err := r.issue(q.Context(), s, q.Header.Get(operatorHeader), spec)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	fmt.Fprint(w, token)
}

func (r *record) answerAudit(w http.ResponseWriter, q *http.Request) {
	report, err := audit.Verify(q.Context(), r.engine)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(report)
}

func (r *record) answerLoad(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	var mode validate.Mode
	if err == nil {
		err = mode.UnmarshalText([]byte(q.URL.Query().Get("validation")))
	}
	if err != nil {
		r.refused(w, q, "load", err)
		return
	}
	out := r.loadBundle(q.Context(), q.URL.Query().Get("source"), q.URL.Query().Get("mark"), body, mode)
	json.NewEncoder(w).Encode(out)
}

// refused answers an operation that makes its own record and was not begun.
func (r *record) refused(w http.ResponseWriter, q *http.Request, name string, err error) {
	if unrecorded := r.note(q.Context(), failed(audit.Operation{Name: name, Who: q.Header.Get(operatorHeader)}, err)); unrecorded != nil {
		err = errors.Join(err, unrecorded)
	}
	http.Error(w, err.Error(), http.StatusUnprocessableEntity)
}

// issue makes a token, on a demo store only, and records that before it is given out.
func (r *record) issue(ctx context.Context, s settings, who string, spec smart.Spec) (string, error) {
	token, err := "", errors.New("tokens are printed for a --demo store only")
	var p consent.Principal // of the token, whose id the record names
	if s.demo {
		token, err = r.tokens.Issue(ctx, spec)
	}
	if err == nil {
		p, err = r.tokens.Verify(ctx, http.Header{"Authorization": {"Bearer " + token}}, "local")
	}
	o := failed(audit.Operation{Name: "token-issue", Who: who, Client: spec.Client}, err)
	if err == nil {
		o.Of = "token/" + p.Token
	}
	if unrecorded := r.note(ctx, o); unrecorded != nil {
		return "", errors.Join(err, unrecorded)
	}
	if err != nil {
		return "", err
	}
	return token, nil
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
	q.Header.Set(operatorHeader, operatorName())
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
