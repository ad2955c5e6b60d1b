package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/store/backup"
)

// restoreCmd fills an empty store with a backup, and later lets it answer.
type restoreCmd struct {
	storeFlags
	PublicURL   string `help:"Address of the site that the record will be served at: keys of absolute references depend on it. Default: that of the backup."`
	Auth        string `help:"off: a store that is served with --auth off, without an audit trail." enum:"smart,off" default:"smart"`
	ConfirmFrom string `help:"Let a restored store answer. Directives of patients since this instant (such as 2026-05-01T12:00:00Z) may be missing in it, and you are responsible for that. It is recorded in the audit trail with your name."`
	Copied      string `help:"Mark a store that the engine's own tools have filled from a copy of this instant, as if a backup had been restored into it."`
	Dir         string `arg:"" optional:"" help:"Folder of the backup." type:"existingdir"`
}

// Run restores a backup, marks a store as restored, or confirms a restored one.
func (c *restoreCmd) Run(ctx context.Context) error {
	given := 0
	for _, v := range []string{c.Dir, c.ConfirmFrom, c.Copied} {
		if v != "" {
			given++
		}
	}
	if given != 1 {
		return errors.New("name exactly one of: the folder of a backup, --confirm-from, --copied")
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	setAuth(&cfg, c.Auth)
	switch {
	case c.ConfirmFrom != "":
		return c.confirm(ctx, cfg)
	case c.Copied != "":
		return c.mark(ctx, cfg)
	}
	return c.restore(ctx, cfg)
}

func (c *restoreCmd) restore(ctx context.Context, cfg node.Config) error {
	b, err := backup.Open(c.Dir)
	if err != nil {
		return err
	}
	cfg.PublicURL = b.Manifest.PublicURL
	setPublicURL(&cfg, c.PublicURL)
	if err := node.Restore(ctx, cfg, b); err != nil {
		return err
	}
	taken := b.Manifest.Taken.Format(time.RFC3339Nano)
	fmt.Printf("%d versions and %d records of the audit trail are restored, as of %s\n", b.Manifest.Versions, b.Manifest.Records, taken)
	fmt.Printf("Later directives of patients are not in it. The store answers 503 to patient data until\n"+
		"  carerecord restore --store %s --confirm-from %s\n", cfg.Address, taken)
	return nil
}

func (c *restoreCmd) confirm(ctx context.Context, cfg node.Config) error {
	from, err := time.Parse(time.RFC3339Nano, c.ConfirmFrom)
	if err != nil {
		return fmt.Errorf("--confirm-from must be an instant such as 2026-05-01T12:00:00Z: %w", err)
	}
	who, err := node.ConfirmRestore(ctx, cfg, from)
	if err != nil {
		return err
	}
	fmt.Printf("the store answers: %s confirmed that directives recorded since %s may be missing\n", who, from.UTC().Format(time.RFC3339Nano))
	return nil
}

func (c *restoreCmd) mark(ctx context.Context, cfg node.Config) error {
	taken, err := time.Parse(time.RFC3339Nano, c.Copied)
	if err != nil {
		return fmt.Errorf("--copied must be an instant such as 2026-05-01T12:00:00Z: %w", err)
	}
	if err := node.MarkRestored(ctx, cfg, taken); err != nil {
		return err
	}
	fmt.Printf("the store answers 503 to patient data until carerecord restore --store %s --confirm-from %s\n", cfg.Address, c.Copied)
	return nil
}
