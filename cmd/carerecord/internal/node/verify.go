package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"carerecord/consent/audit"
	"carerecord/consent/reindex"
)

// VerifyAudit verifies the audit trail of a store, which may be served.
func VerifyAudit(ctx context.Context, cfg Config) (report audit.Report, err error) {
	if server := dial(cfg); server != nil {
		return report, server.sendJSON(ctx, http.MethodGet, "/audit", &report)
	}
	cfg.noWait = true
	h, err := hold(ctx, cfg)
	if errors.Is(err, errLeaseTaken) {
		return verifyElsewhere(ctx, cfg)
	}
	if err != nil {
		return audit.Report{}, err
	}
	defer h.close()
	if report, err = audit.Verify(ctx, h.engine); err != nil {
		return report, err
	}
	return report, h.audit(ctx, audit.Operation{Name: "audit-verify", Who: operatorName(), Status: http.StatusOK})
}

// verifyElsewhere verifies the audit trail of a store that a process on another machine holds.
// Only that process may write, so this leaves no audit record.
func verifyElsewhere(ctx context.Context, cfg Config) (audit.Report, error) {
	cfg.Log.Warn("the audit trail is read without an audit record, since another process holds the record: to have one, run this on the server's machine")
	e, err := cfg.Address.open(ctx)
	if err != nil {
		return audit.Report{}, fmt.Errorf("open %s: %w", cfg.Address, err)
	}
	defer e.Close()
	return audit.Verify(ctx, e)
}

// answerAudit answers GET /audit on the socket.
func (n *Node) answerAudit(w http.ResponseWriter, q *http.Request) {
	report, err := audit.Verify(q.Context(), n.engine)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(report)
}

// Soundness is the result of Verify.
type Soundness struct {
	Documents int   // whose keys were rebuilt
	WrongKeys int   // of these, stored under other keys than the rebuilt ones
	Faults    error // nil for a sound store
}

// maxWrongKeys is how many documents with wrong keys are reported one by one.
const maxWrongKeys = 20

// Verify reads the whole store, which no server may hold: whether the rows of the engine agree
// with each other, and whether every document has the keys that a rebuild gives it.
func Verify(ctx context.Context, cfg Config) (Soundness, error) {
	if dial(cfg) != nil {
		return Soundness{}, errors.New("a server holds this store: stop it first, since a store is verified at rest")
	}
	n, err := Open(ctx, cfg)
	if err != nil {
		return Soundness{}, err
	}
	defer n.Close()
	if err := n.audit(ctx, audit.Operation{Name: "verify", Who: operatorName()}); err != nil {
		return Soundness{}, err
	}
	var s Soundness
	faults := []error{n.engine.Verify(ctx)}
	s.Documents, err = reindex.Verify(ctx, n.guard, func(fault error) {
		if s.WrongKeys++; s.WrongKeys <= maxWrongKeys {
			faults = append(faults, fault)
		}
	})
	faults = append(faults, err)
	if !n.lease.valid() {
		faults = append(faults, errLeaseLost)
	}
	s.Faults = errors.Join(faults...)
	return s, nil
}
