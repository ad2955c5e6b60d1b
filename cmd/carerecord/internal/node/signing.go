package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"carerecord/consent/audit"
	signing "carerecord/interop/smart/keys"
)

// The names of the operations in the audit trail.
const (
	listedKeys  = "signing-keys-list"
	rotatedKeys = "signing-keys-rotate"
)

// SigningKeys lists the keys that sign ID tokens.
func SigningKeys(ctx context.Context, cfg Config) (list []signing.Listed, err error) {
	if server := dial(cfg); server != nil {
		return list, server.sendJSON(ctx, http.MethodGet, "/keys", &list)
	}
	n, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	list, err = n.listKeys()
	return list, errors.Join(err, n.audit(ctx, withOutcome(audit.Operation{Name: listedKeys, Who: operatorName()}, err)))
}

// RotateKeys makes the next key that signs ID tokens (SMART-386). In an emergency it signs at once, and the keys before it are
// removed. A server that runs on this machine uses it without a restart; servers on others read the folder every minute.
func RotateKeys(ctx context.Context, cfg Config, emergency bool) (made signing.Listed, err error) {
	if server := dial(cfg); server != nil {
		path := "/keys"
		if emergency {
			path += "?emergency=true"
		}
		return made, server.sendJSON(ctx, http.MethodPost, path, &made)
	}
	n, err := Open(ctx, cfg)
	if err != nil {
		return made, err
	}
	defer n.Close()
	return n.rotateKeys(ctx, operatorName(), emergency)
}

var errNoSigning = errors.New("a store that is served with --auth off has no signing keys")

func (n *Node) listKeys() ([]signing.Listed, error) {
	if n.signing == nil {
		return nil, errNoSigning
	}
	if err := n.signing.Reload(); err != nil {
		return nil, err
	}
	return n.signing.List(), nil
}

// rotateKeys makes the next key, with an audit record before it and one with the key after it (SMART-494).
func (n *Node) rotateKeys(ctx context.Context, who string, emergency bool) (made signing.Listed, err error) {
	o := audit.Operation{Name: rotatedKeys, Who: who}
	if emergency {
		o.Reason = "emergency"
	}
	if err := n.audit(ctx, o); err != nil {
		return made, err
	}
	if err = errNoSigning; n.signing != nil {
		made, err = n.signing.Rotate(emergency)
	}
	if made.ID != "" {
		o.Of = "key/" + made.ID
		n.log.Warn("the signing keys change", "new", made.ID, "signs from", made.Starts, "emergency", emergency)
	}
	reason := o.Reason
	if o = withOutcome(o, err); err == nil {
		o.Reason = reason
	}
	return made, errors.Join(err, n.audit(ctx, o))
}

// answerKeys answers GET /keys on the socket.
func (n *Node) answerKeys(w http.ResponseWriter, _ *http.Request) {
	list, err := n.listKeys()
	answerJSON(w, list, err)
}

// answerRotate answers POST /keys on the socket.
func (n *Node) answerRotate(w http.ResponseWriter, q *http.Request) {
	made, err := n.rotateKeys(q.Context(), q.Header.Get(operatorHeader), q.URL.Query().Get("emergency") == "true")
	answerJSON(w, made, err)
}

func answerJSON(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// keepKeys reads the signing keys again from time to time, and makes the next one when the one that signs is older than life, until
// the context ends. 0 makes none.
func (n *Node) keepKeys(ctx context.Context, life time.Duration) (wait func()) {
	if n.signing == nil {
		return func() {}
	}
	renew := &renewal{due: func() bool { return life > 0 && n.signing.Due(life) }, writable: n.signing.Writable, rotate: func() error {
		_, err := n.rotateKeys(ctx, "the server", false)
		return err
	}}
	done := make(chan struct{})
	go func() { // ends with the context
		defer close(done)
		tick := time.NewTicker(signing.ReloadEvery)
		defer tick.Stop()
		for {
			n.checkKeys(renew)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() { <-done }
}

// checkKeys is one round of keepKeys.
func (n *Node) checkKeys(renew *renewal) {
	err := n.signing.Reload()
	if err == nil {
		err = renew.round(time.Now())
	}
	if err != nil {
		n.log.Error("the signing keys cannot be read or replaced; those of before are used", "err", err)
	}
}

// renewAgain is how long after a failure the next signing key is tried again.
const renewAgain = time.Hour

// renewal makes the next signing key when one is due. After a failure it tries again each hour, and not before the folder can be
// written, so that one fault is recorded once and not each minute. It is for one goroutine.
type renewal struct {
	due      func() bool
	writable func() error
	rotate   func() error // with its records in the audit trail
	failed   time.Time    // when the last try failed; zero if it did not
}

// round makes the key if it is time.
func (r *renewal) round(now time.Time) (err error) {
	if !r.failed.IsZero() && now.Before(r.failed.Add(renewAgain)) || !r.due() {
		return nil
	}
	if !r.failed.IsZero() {
		err = r.writable()
	}
	if err == nil {
		err = r.rotate()
	}
	if r.failed = (time.Time{}); err != nil {
		r.failed = now
	}
	return err
}
