package main

import (
	"context"
	"fmt"
	"time"

	"carerecord/cmd/carerecord/internal/node"
)

// backupCmd copies a store into a folder.
type backupCmd struct {
	storeFlags
	PublicURL string `help:"Address of the site that the record is served at, for the backup's manifest. Default: that of a demonstration, else http://127.0.0.1:8080. A running server uses its own."`
	Out       string `help:"Folder of the backup: new, or empty. A running server writes it, on its own machine." required:"" type:"path"`
}

// Run takes a backup.
func (c *backupCmd) Run(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	setPublicURL(&cfg, c.PublicURL)
	m, err := node.Backup(ctx, cfg, c.Out)
	if err != nil {
		return err
	}
	fmt.Printf("%d versions and %d records of the audit trail, as of %s, are in %s: %d bytes\n",
		m.Versions, m.Records, m.Taken.Format(time.RFC3339Nano), c.Out, m.Bytes)
	fmt.Println("Keys, policy and tokens are not in it: keep copies of the two folders elsewhere. Tokens are not valid on a restored store.")
	return nil
}
