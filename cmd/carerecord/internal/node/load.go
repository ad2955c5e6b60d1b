package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"carerecord/conformance/synth"
	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/interop/load"
	"carerecord/store"
)

// unmarked is the expiry of a State value that does not expire.
var unmarked time.Time

// Loader stores transaction bundles, through the server that holds the store if there is one.
type Loader struct {
	server *client // nil if the Loader holds the store
	node   *Node   // nil if a server holds it
	mode   validate.Mode
}

// OpenLoader opens the store of cfg for loading. cfg.Validation applies to each bundle.
func OpenLoader(ctx context.Context, cfg Config) (*Loader, error) {
	if server := dial(cfg); server != nil {
		if cfg.WordIndex != nil {
			return nil, errors.New("a server is running and decides whether words have keys: load without --word-index")
		}
		return &Loader{server: server, mode: cfg.Validation}, nil
	}
	n, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Loader{node: n, mode: cfg.Validation}, nil
}

// Region yields the bundles of a synthetic region.
func Region(cfg synth.Config) iter.Seq[load.SourceBundle] {
	return func(yield func(load.SourceBundle) bool) {
		for b := range synth.Region(cfg) {
			if !yield(load.SourceBundle{Source: b.Source, Name: b.Name, Bundle: b.Body}) {
				return
			}
		}
	}
}

// Loader returns a Loader of an open record. It must not be closed.
func (n *Node) Loader(mode validate.Mode) *Loader { return &Loader{node: n, mode: mode} }

// Close rekeys the documents that depend on loaded ones and closes the store.
func (l *Loader) Close(ctx context.Context) error {
	if l.node == nil {
		return nil
	}
	if err := l.node.catchUp(ctx); err != nil && ctx.Err() == nil {
		l.node.log.Warn("documents that depend on loaded ones are rekeyed when the store is next served", "err", err)
	}
	return l.node.Close()
}

// Sender returns a sender that stores bundles as the source system of an organisation.
func (l *Loader) Sender(source string) load.Sender {
	return func(ctx context.Context, mark string, bundle []byte) (load.Outcome, error) {
		if l.server == nil {
			if !l.node.lease.valid() {
				return load.Outcome{}, errLeaseLost
			}
			return l.node.loadBundle(ctx, source, mark, bundle, l.mode), nil
		}
		q := url.Values{"source": {source}, "mark": {mark}, "validation": {l.mode.String()}}
		out, err := l.server.send(ctx, http.MethodPost, "/load?"+q.Encode(), bundle)
		if err != nil {
			return load.Outcome{}, err
		}
		var o load.Outcome
		return o, json.Unmarshal(out, &o)
	}
}

// answerLoad answers POST /load on the socket.
func (n *Node) answerLoad(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	var mode validate.Mode
	if err == nil {
		err = mode.UnmarshalText([]byte(q.URL.Query().Get("validation")))
	}
	if err != nil {
		n.answerRefused(w, q, "load", err)
		return
	}
	out := n.loadBundle(q.Context(), q.URL.Query().Get("source"), q.URL.Query().Get("mark"), body, mode)
	json.NewEncoder(w).Encode(out)
}

// loadBundle stores one transaction bundle as the source system of an organisation. The mark is
// stored in the same commit. A bundle whose mark is stored for this source is skipped.
func (n *Node) loadBundle(ctx context.Context, source, mark string, body []byte, mode validate.Mode) load.Outcome {
	refused := func(err error) load.Outcome {
		return load.Outcome{Failed: errors.Join(err, n.audit(ctx, withOutcome(audit.Operation{Name: "load", Who: operatorName()}, err))).Error()}
	}
	if err := n.confirmed(); err != nil {
		return refused(err)
	}
	system, err := n.sourceSystem(source)
	if err != nil {
		return refused(err)
	}
	var marks []store.StateWrite
	if mark != "" {
		key := "load/" + source + "/" + mark
		switch _, err := n.engine.Lookup(ctx, key); {
		case err == nil:
			return load.Outcome{Skipped: true}
		case !errors.Is(err, store.ErrNotFound):
			return load.Outcome{Failed: err.Error()}
		}
		marks = []store.StateWrite{{Key: key, Value: []byte("1"), New: true}}
	}
	err = n.rest.Load(ctx, system, body, marks, mode)
	switch e, ok := fhir.AsError(err); {
	case err == nil:
		return load.Outcome{Resources: load.Size(body)}
	case ok && e.Status < 500:
		return load.Outcome{Refused: e.Issues}
	default:
		return load.Outcome{Failed: err.Error()}
	}
}

// sourceSystem returns the Principal of the source system of an organisation.
func (n *Node) sourceSystem(organisation string) (consent.Principal, error) {
	if n.policy == nil {
		return consent.Principal{Kind: consent.System, Organisation: organisation}, nil
	}
	for _, c := range n.policy.Clients {
		if c.Organisation != organisation || c.Flow != consent.FlowIngest {
			continue
		}
		scopes, err := consent.ParseScopes(c.Scopes, func(string) bool { return true })
		scopes = append(scopes, consent.Operations()) // the user who has the store operates the record
		return consent.Principal{Kind: consent.SourceSystem, Subject: c.ID, Organisation: organisation, Purpose: "TREAT", Client: c.ID,
			ClientClass: c.Kind, ClientPurposes: c.Purposes, Scopes: scopes, Flow: c.Flow, IDPrefix: c.IDPrefix, Address: "local", At: time.Now()}, err
	}
	return consent.Principal{}, fmt.Errorf("no client of the policy is the source system of the organisation %q", organisation)
}
