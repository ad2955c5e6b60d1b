package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/backup"
)

// Restore fills the empty store of cfg, which no server holds, with a backup.
func Restore(ctx context.Context, cfg Config, b *backup.Backup) error {
	if dial(cfg) != nil {
		return errServed
	}
	h, err := hold(ctx, cfg)
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.restore(ctx, b); err != nil {
		return errors.Join(err, h.audit(ctx, withOutcome(audit.Operation{Name: "restore", Who: operatorName()}, err)))
	}
	return nil
}

var errServed = errors.New("a server holds this store: a backup is restored into an empty store that no server holds")

// ConfirmRestore lets a restored store answer, and returns the operator who is recorded as
// responsible for directives that may be missing since from.
func ConfirmRestore(ctx context.Context, cfg Config, from time.Time) (operator string, err error) {
	operator = operatorName()
	if server := dial(cfg); server != nil {
		_, err := server.send(ctx, http.MethodPost, "/restore/confirm?"+url.Values{"from": {from.Format(time.RFC3339Nano)}}.Encode(), nil)
		return operator, err
	}
	h, err := hold(ctx, cfg)
	if err != nil {
		return operator, err
	}
	defer h.close()
	h.audited = cfg.Auth.audited()
	if err := h.readRestoreMark(ctx); err != nil {
		return operator, err
	}
	if err := h.confirmRestore(ctx, operator, from); err != nil {
		return operator, errors.Join(err, h.audit(ctx, withOutcome(audit.Operation{Name: "confirm-restore", Who: operator}, err)))
	}
	return operator, nil
}

// MarkRestored marks a store that other tools have filled from a copy taken at an instant, as
// Restore does.
func MarkRestored(ctx context.Context, cfg Config, taken time.Time) error {
	if dial(cfg) != nil {
		return errServed
	}
	h, err := hold(ctx, cfg)
	if err != nil {
		return err
	}
	defer h.close()
	// Consumers of the copied store's change feed must notice the change of store: the commit
	// numbers from here on were used there as well.
	if err := h.engine.RenewFeed(ctx); err != nil {
		return err
	}
	if err := endCopied(ctx, h.engine, time.Now()); err != nil {
		return err
	}
	m := restoreMark{State: restoreUnconfirmed, Taken: taken.UTC(), At: time.Now().UTC()}
	if err := m.save(ctx, h.engine); err != nil {
		return err
	}
	if !cfg.Auth.audited() {
		return nil
	}
	return audit.Begin(ctx, h.engine, time.Now(), operatorName(), audit.Genesis{Software: version, Backup: m.Taken})
}

// restore fills the store. While it runs, and after a failure, a mark keeps the store from being
// opened.
func (h *heldStore) restore(ctx context.Context, b *backup.Backup) error {
	m := restoreMark{State: restoreUnfinished, Taken: b.Manifest.Taken, At: time.Now().UTC()}
	err := h.engine.Insert(ctx, restoreKey, m.encode(), unmarked)
	if errors.Is(err, store.ErrExists) {
		return errors.New("a backup was restored into this store before: restore into an empty one")
	}
	if err != nil {
		return fmt.Errorf("mark the store as restored: %w", err)
	}
	if err := h.engine.Import(ctx, b.Parts()); err != nil {
		if errors.Is(err, store.ErrExists) { // nothing was written
			_, taken := h.engine.Take(ctx, restoreKey)
			return errors.Join(fmt.Errorf("the store is not empty: %w", err), taken)
		}
		return fmt.Errorf("restore; delete the content of this store before another try: %w", err)
	}
	if err := h.rekeyRestored(ctx); err != nil {
		return err
	}
	if b.Manifest.Records > 0 || h.cfg.Auth.audited() {
		g := audit.Genesis{Software: version, Backup: b.Manifest.Taken}
		if err := audit.Begin(ctx, h.engine, time.Now(), operatorName(), g); err != nil {
			return err
		}
	}
	if !h.lease.valid() {
		return errLeaseLost
	}
	m.State = restoreUnconfirmed
	return m.save(ctx, h.engine)
}

// rekeyRestored gives all documents their keys. Its guard answers nobody, so it needs no more of the policy than who
// is one person.
func (h *heldStore) rekeyRestored(ctx context.Context) error {
	folder, err := h.cfg.identityPolicy()
	if err != nil {
		return err
	}
	x, err := index.New(index.Config{Base: h.cfg.PublicURL + "/fhir", Clock: time.Now})
	if err != nil {
		return err
	}
	guard, err := consent.Open(ctx, consent.Config{Store: h.engine, Index: x, Clock: time.Now, PublicURL: h.cfg.PublicURL, Policy: folder, Unguarded: true})
	if err != nil {
		return err
	}
	if _, err := h.reindex(ctx, guard, 0); err != nil {
		return fmt.Errorf("rekey the documents: %w", err)
	}
	return nil
}

// answerConfirm answers POST /restore/confirm on the socket.
func (n *Node) answerConfirm(w http.ResponseWriter, q *http.Request) {
	from, err := time.Parse(time.RFC3339Nano, q.URL.Query().Get("from"))
	if err == nil {
		err = n.confirmRestore(q.Context(), q.Header.Get(operatorHeader), from)
	}
	if err != nil {
		n.answerRefused(w, q, "confirm-restore", err)
	}
}
