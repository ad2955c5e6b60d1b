package node

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"carerecord/consent/audit"
	"carerecord/consent/reindex"
	"carerecord/store/backup"
)

// Backup copies a store into a folder, which must be new or empty.
func Backup(ctx context.Context, cfg Config, dir string) (m backup.Manifest, err error) {
	if server := dial(cfg); server != nil {
		return m, server.sendJSON(ctx, http.MethodPost, "/backup?out="+url.QueryEscape(dir), &m)
	}
	h, err := hold(ctx, cfg)
	if err != nil {
		return m, err
	}
	defer h.close()
	err = h.perform(ctx, audit.Operation{Name: "backup", Who: operatorName()}, func() error {
		m, err = h.backup(ctx, dir)
		return err
	})
	return m, err
}

// backup copies the store, which may be written to at the same time.
func (h *heldStore) backup(ctx context.Context, dir string) (backup.Manifest, error) {
	format, err := reindex.DescribeKeyFormat(ctx, h.engine)
	if err != nil {
		return backup.Manifest{}, err
	}
	m := backup.Manifest{Software: version, Taken: time.Now().UTC(), PublicURL: h.cfg.PublicURL, Keying: format}
	m, err = backup.Write(ctx, dir, m, h.engine)
	if err == nil && !h.lease.valid() {
		err = errLeaseLost
	}
	return m, err
}

// answerBackup answers POST /backup on the socket.
func (n *Node) answerBackup(w http.ResponseWriter, q *http.Request) {
	m, err := n.backup(q.Context(), q.URL.Query().Get("out"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(m)
}
