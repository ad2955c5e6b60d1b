package node

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"carerecord/consent/audit"
	"carerecord/store"
)

// fingerprintsKey is the State key of the fingerprints. It is not part of a backup: the keys of the next opening are those of a restored
// store.
const fingerprintsKey = "store/keys"

// fingerprints identify the keys of a store by file, and tell nothing of them (SMART-387).
type fingerprints map[string]string

// fingerprints returns those of the keys.
func (k keys) fingerprints() fingerprints {
	of := func(key []byte) string {
		h := hmac.New(sha256.New, key)
		h.Write([]byte("carerecord fingerprint of a key"))
		return hex.EncodeToString(h.Sum(nil)[:8])
	}
	return fingerprints{pageKey: of(k.page), auditKey: of(k.audit), digestKey: of(k.digest)}
}

// checkFingerprints refuses keys other than those with which the store was opened before, unless Config.NewKeys accepts them. The first opening
// notes its keys.
func (n *Node) checkFingerprints(ctx context.Context, k keys) error {
	now := k.fingerprints()
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	before, err := n.engine.Lookup(ctx, fingerprintsKey)
	if errors.Is(err, store.ErrNotFound) {
		if err := n.engine.Insert(ctx, fingerprintsKey, text, unmarked); err != nil {
			return fmt.Errorf("note the fingerprints of the keys: %w", err)
		}
		return nil
	}
	var noted fingerprints
	if err == nil {
		err = json.Unmarshal(before, &noted)
	}
	if err != nil {
		return fmt.Errorf("read the fingerprints of the keys: %w", err)
	}
	var other []string
	for _, name := range []string{pageKey, auditKey, digestKey} {
		if noted[name] != now[name] {
			other = append(other, name)
		}
	}
	switch {
	case other == nil:
		return nil
	case !n.cfg.NewKeys:
		return fmt.Errorf("the store was served with other keys than %s in %s: copy its keys back. %s.\nIf they are lost, or others know them, serve it once with --new-keys", strings.Join(other, ", "), n.cfg.KeysDir, withoutKeys)
	}
	if err := n.audit(ctx, audit.Operation{Name: "new-keys", Who: operatorName(), Of: strings.Join(other, ",")}); err != nil {
		return err
	}
	n.log.Warn("the store has new keys", "keys", other)
	if _, err := n.engine.Commit(ctx, store.Batch{State: []store.StateWrite{{Key: fingerprintsKey, Value: text}}}); err != nil {
		return fmt.Errorf("note the fingerprints of the keys: %w", err)
	}
	return nil
}
