package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/interop/smart/keys"
)

// keysCmd has the commands for the keys that sign ID tokens (SMART-386).
type keysCmd struct {
	List   keysListCmd   `cmd:"" help:"List the keys that sign ID tokens."`
	Rotate keysRotateCmd `cmd:"" help:"Make the next key. It is published now and signs eleven minutes later; the key before stays published for an hour after that."`
}

type keysListCmd struct {
	storeFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the keys.
func (c *keysListCmd) Run(ctx context.Context, out io.Writer) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	list, err := node.SigningKeys(ctx, cfg)
	if err != nil {
		return err
	}
	return printKeys(out, c.JSON, list...)
}

type keysRotateCmd struct {
	keysListCmd
	Emergency bool `help:"The private key may be known to others: the new key signs at once, and the keys before it are removed. ID tokens that they have signed cannot be verified any more."`
}

// Run makes the next key and prints it.
func (c *keysRotateCmd) Run(ctx context.Context, out io.Writer) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	made, err := node.RotateKeys(ctx, cfg, c.Emergency)
	if err != nil {
		return err
	}
	return printKeys(out, c.JSON, made)
}

func printKeys(out io.Writer, asJSON bool, list ...keys.Listed) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, k := range list {
		since := "from the beginning"
		if !k.Starts.IsZero() {
			since = "from " + k.Starts.Format(time.RFC3339)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", k.ID, k.State, since)
	}
	return t.Flush()
}
