package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/user"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/backup"
)

// restoreCmd fills an empty store with a backup, and later lets it answer.
type restoreCmd struct {
	storeFlags
	PublicURL   string `help:"Address of the site that the record will be served at: keys of absolute references depend on it. Default: that of the backup."`
	Auth        string `help:"off: a store that is served with --auth off, without a trail." enum:"smart,off" default:"smart"`
	ConfirmFrom string `help:"Let a restored store answer: from this instant on (as 2026-05-01T12:00:00Z) wishes of patients may be missing in it, and you answer for that. It is recorded in the trail under your name."`
	Copied      string `help:"Mark a store that the engine's own tools have filled from a copy of this instant, as if a backup had been restored into it."`
	Dir         string `arg:"" optional:"" help:"Folder of the backup." type:"existingdir"`
}

// Run restores or confirms.
func (c *restoreCmd) Run(ctx context.Context) error {
	given := 0
	for _, v := range []string{c.Dir, c.ConfirmFrom, c.Copied} {
		if v != "" {
			given++
		}
	}
	if given != 1 {
		return errors.New("name the folder of a backup, or --confirm-from an instant, or --copied, one of them")
	}
	s, err := c.settings()
	if err != nil {
		return err
	}
	s.unguarded = c.Auth == "off"
	client := socketClient(s)
	if c.ConfirmFrom != "" {
		return c.confirm(ctx, s, client)
	}
	if client != nil {
		return errors.New("a server holds this store: a backup is restored into an empty store, which nobody serves")
	}
	if c.Copied != "" {
		return c.mark(ctx, s)
	}
	b, err := backup.Open(c.Dir)
	if err != nil {
		return err
	}
	s.publicURL = b.Manifest.PublicURL
	if c.PublicURL != "" {
		s.publicURL = strings.TrimSuffix(c.PublicURL, "/")
	}
	r, err := openHeld(ctx, s)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.restore(ctx, s, b); err != nil {
		return errors.Join(err, r.note(ctx, failed(audit.Operation{Name: "restore", Who: operatorName()}, err)))
	}
	taken := b.Manifest.Taken.Format(time.RFC3339Nano)
	fmt.Printf("%d versions and %d records of the trail are restored, as of %s\n", b.Manifest.Versions, b.Manifest.Records, taken)
	fmt.Printf("What patients wished since then is not in it. The store answers 503 to patient data until\n"+
		"  carerecord restore --store %s --confirm-from %s\n", redact(s.place.address), taken)
	return nil
}

// confirm lets the store answer, through the server that holds it if one does.
func (c *restoreCmd) confirm(ctx context.Context, s settings, client *http.Client) error {
	from, err := time.Parse(time.RFC3339Nano, c.ConfirmFrom)
	if err != nil {
		return fmt.Errorf("--confirm-from is an instant as 2026-05-01T12:00:00Z: %w", err)
	}
	who := operatorName()
	if client != nil {
		q := url.Values{"from": {from.Format(time.RFC3339Nano)}}
		if _, err := ask(ctx, client, http.MethodPost, "/restore/confirm?"+q.Encode(), nil); err != nil {
			return err
		}
	} else {
		r, err := openHeld(ctx, s)
		if err != nil {
			return err
		}
		defer r.close()
		r.trailed = !s.unguarded
		if r.restored, err = restoredOf(ctx, r.engine); err != nil {
			return err
		}
		if err := r.confirm(ctx, who, from); err != nil {
			return errors.Join(err, r.note(ctx, failed(audit.Operation{Name: "confirm-restore", Who: who}, err)))
		}
	}
	fmt.Printf("the store answers: %s confirmed that wishes recorded since %s may be missing\n", who, from.UTC().Format(time.RFC3339Nano))
	return nil
}

// mark marks a store that was filled by other means.
func (c *restoreCmd) mark(ctx context.Context, s settings) error {
	taken, err := time.Parse(time.RFC3339Nano, c.Copied)
	if err != nil {
		return fmt.Errorf("--copied is an instant as 2026-05-01T12:00:00Z: %w", err)
	}
	r, err := openHeld(ctx, s)
	if err != nil {
		return err
	}
	defer r.close()
	// Whoever followed the store that was copied must notice: what this one commits
	// now has numbers that they may have seen there.
	if err := r.engine.RenewFeed(ctx); err != nil {
		return err
	}
	m := restored{State: restoreUnconfirmed, Taken: taken.UTC(), At: time.Now().UTC()}
	if err := m.keep(ctx, r.engine); err != nil {
		return err
	}
	if !s.unguarded {
		if err := audit.Begin(ctx, r.engine, time.Now(), operatorName(), audit.Genesis{Software: version, Backup: m.Taken}); err != nil {
			return err
		}
	}
	fmt.Printf("the store answers 503 to patient data until carerecord restore --store %s --confirm-from %s\n", redact(s.place.address), c.Copied)
	return nil
}

// operatorName is who runs this command, as the machine knows them.
func operatorName() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}

// restore fills the store. Until it is done, and where it fails, a mark keeps
// the store from being opened.
func (r *record) restore(ctx context.Context, s settings, b *backup.Backup) error {
	m := restored{State: restoreUnfinished, Taken: b.Manifest.Taken, At: time.Now().UTC()}
	err := r.engine.Insert(ctx, restoredMark, m.encode(), timeNever)
	if errors.Is(err, store.ErrExists) {
		return errors.New("a backup was restored into this store before: restore into an empty one")
	}
	if err != nil {
		return fmt.Errorf("mark the store as restored: %w", err)
	}
	if err := r.engine.Import(ctx, b.Parts()); err != nil {
		if errors.Is(err, store.ErrExists) { // nothing was written
			_, taken := r.engine.Take(ctx, restoredMark)
			return errors.Join(fmt.Errorf("the store is not empty: %w", err), taken)
		}
		return fmt.Errorf("restore; delete what is in this store before another try: %w", err)
	}
	x, err := index.New(index.Config{Base: s.publicURL + "/fhir", Clock: time.Now})
	if err != nil {
		return err
	}
	// Keys only: it decides nothing for anybody.
	r.guard, err = consent.Open(ctx, consent.Config{Store: r.engine, Index: x, Clock: time.Now, PublicURL: s.publicURL, Unguarded: true})
	if err != nil {
		return err
	}
	if _, err := r.reindex(ctx, 0); err != nil {
		return fmt.Errorf("key the documents anew: %w", err)
	}
	if b.Manifest.Records > 0 || !s.unguarded {
		g := audit.Genesis{Software: version, Backup: b.Manifest.Taken}
		if err := audit.Begin(ctx, r.engine, time.Now(), operatorName(), g); err != nil {
			return err
		}
	}
	if !r.held.sure() {
		return errLost
	}
	m.State = restoreUnconfirmed
	return m.keep(ctx, r.engine)
}
