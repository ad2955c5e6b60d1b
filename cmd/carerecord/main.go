// Command carerecord is the shared care record: a FHIR R4 server with consent
// enforced on every resource, and the tools around it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // Europe/London on machines without zone files

	"github.com/alecthomas/kong"
)

// version of the software, as metadata tells it.
const version = "0.1.0"

// cli is the command line. Every flag has an environment variable and a place in
// the file of --config.
type cli struct {
	Config string `help:"JSON file of flags: {\"store\": \"pebble:./var/record\", …}. The command line and the environment count before it." type:"path"`

	Serve   serveCmd   `cmd:"" help:"Serve the record."`
	Health  healthCmd  `cmd:"" help:"Ask a server how it is."`
	Token   tokenCmd   `cmd:"" help:"Print an access token for a sample person or feed of a --demo store."`
	Load    loadCmd    `cmd:"" help:"Load bundles, resources and NDJSON into a record."`
	Synth   synthCmd   `cmd:"" help:"Make a synthetic region."`
	Audit   auditCmd   `cmd:"" help:"Work with the trail."`
	Verify  verifyCmd  `cmd:"" help:"Rebuild the index of a store at rest and compare."`
	Backup  backupCmd  `cmd:"" help:"Copy a store into a folder, while it is served."`
	Restore restoreCmd `cmd:"" help:"Fill an empty store with a backup, or let a restored one answer."`
	Reindex reindexCmd `cmd:"" help:"Key every document anew, online, going on where an interrupted one stopped."`
	Explain explainCmd `cmd:"" help:"Say how a search is answered: its plan, keys and indexes."`
	Bench   benchCmd   `cmd:"" help:"Measure the embedded engine beside its limits."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "carerecord:", err)
		os.Exit(1)
	}
}

// run parses and runs one command.
func run(ctx context.Context, args []string) error {
	var c cli
	parser, err := newParser(ctx, &c)
	if err != nil {
		return err
	}
	k, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return k.Run()
}

func newParser(ctx context.Context, c *cli) (*kong.Kong, error) {
	return kong.New(c, kong.Name("carerecord"),
		kong.Description("A shared care record: FHIR R4 with consent enforced on every resource."),
		kong.UsageOnError(), kong.DefaultEnvars("CARERECORD"),
		kong.BindTo(ctx, (*context.Context)(nil)))
}
