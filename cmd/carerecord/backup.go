package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"carerecord/consent/audit"
	"carerecord/consent/reindex"
	"carerecord/store/backup"
)

// backupCmd copies a store into a folder.
type backupCmd struct {
	storeFlags
	PublicURL string `help:"Address of the site that the record is served at, to be written down. Default: that of a demonstration, else http://127.0.0.1:8080. A running server knows its own."`
	Out       string `help:"Folder of the backup: new, or empty. A running server writes it, on its own machine." required:"" type:"path"`
}

// Run takes a backup, through the server that holds the store if one does.
func (c *backupCmd) Run(ctx context.Context) error {
	s, err := c.settings()
	if err != nil {
		return err
	}
	if c.PublicURL != "" {
		s.publicURL = strings.TrimSuffix(c.PublicURL, "/")
	}
	var m backup.Manifest
	if client := socketClient(s); client != nil {
		out, err := ask(ctx, client, http.MethodPost, "/backup?out="+url.QueryEscape(c.Out), nil)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(out, &m); err != nil {
			return fmt.Errorf("read the server's answer: %w", err)
		}
	} else {
		r, err := openHeld(ctx, s)
		if err != nil {
			return err
		}
		defer r.close()
		o := audit.Operation{Name: "backup", Who: operatorName()}
		if err := r.note(ctx, o); err != nil {
			return err
		}
		if m, err = r.backup(ctx, s, c.Out); err != nil {
			return errors.Join(err, r.note(ctx, failed(o, err)))
		}
	}
	fmt.Printf("%d versions and %d records of the trail, as of %s, are in %s: %d bytes\n",
		m.Versions, m.Records, m.Taken.Format(time.RFC3339Nano), c.Out, m.Bytes)
	fmt.Println("Keys, policy and tokens are not in it: keep copies of the two folders elsewhere; tokens end with their store.")
	return nil
}

// backup copies the store while it is written to.
func (r *record) backup(ctx context.Context, s settings, dir string) (backup.Manifest, error) {
	keying, err := reindex.DescribeKeyFormat(ctx, r.engine)
	if err != nil {
		return backup.Manifest{}, err
	}
	m := backup.Manifest{Software: version, Taken: time.Now().UTC(), PublicURL: s.publicURL, Keying: keying}
	m, err = backup.Write(ctx, dir, m, r.engine)
	if err == nil && !r.held.sure() {
		err = errLost
	}
	return m, err
}

func (r *record) answerBackup(w http.ResponseWriter, q *http.Request, s settings) {
	m, err := r.backup(q.Context(), s, q.URL.Query().Get("out"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(m)
}

func (r *record) answerConfirm(w http.ResponseWriter, q *http.Request) {
	from, err := time.Parse(time.RFC3339Nano, q.URL.Query().Get("from"))
	if err == nil {
		err = r.confirm(q.Context(), q.Header.Get(operatorHeader), from)
	}
	if err == nil {
		return
	}
	r.refused(w, q, "confirm-restore", err)
}

// openHeld opens a store without what serves it: for commands that look at no
// document. Nobody else may write to it until close.
func openHeld(ctx context.Context, s settings) (*record, error) {
	r := &record{log: s.log}
	var err error
	if r.engine, err = s.place.open(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", redact(s.place.address), err)
	}
	if r.held, err = hold(ctx, r.engine, s); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", redact(s.place.address), err), r.engine.Close())
	}
	return r, nil
}
