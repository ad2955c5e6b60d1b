// Command carerecord is a shared care record: a FHIR R4 server that enforces consent on every
// resource, and its tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // Europe/London on machines without zone files

	"github.com/alecthomas/kong"
)

// cli is the command line. Every flag has an environment variable and a name in the file of
// --config.
type cli struct {
	Config string `help:"JSON file of flags: {\"store\": \"pebble:./var/record\", …}. The command line and the environment have priority over it." type:"path"`

	Serve       serveCmd    `cmd:"" help:"Serve the record."`
	Health      healthCmd   `cmd:"" help:"Check whether a server runs."`
	Token       tokenCmd    `cmd:"" help:"Print an access token for a sample person or source system of a --demo store."`
	Client      clientCmd   `cmd:"" help:"Register, approve, change and stop client applications."`
	SigningKeys keysCmd     `cmd:"" name:"keys" help:"List and replace the keys that sign ID tokens."`
	Load        loadCmd     `cmd:"" help:"Load bundles, resources and NDJSON into a record."`
	Synth       synthCmd    `cmd:"" help:"Generate a synthetic region."`
	Audit       auditCmd    `cmd:"" help:"Check the audit trail."`
	Verify      verifyCmd   `cmd:"" help:"Rebuild the index of a store at rest and compare."`
	Backup      backupCmd   `cmd:"" help:"Copy a store, which may be served, into a folder."`
	Restore     restoreCmd  `cmd:"" help:"Fill an empty store with a backup, or let a restored store answer."`
	Reindex     reindexCmd  `cmd:"" help:"Rekey every document, while requests are served. It continues an interrupted reindex."`
	Identity    identityCmd `cmd:"" help:"List cases of persons for the identity team to settle."`
	Explain     explainCmd  `cmd:"" help:"Describe how a search is answered: its plan, keys and indexes."`
	Bench       benchCmd    `cmd:"" help:"Measure the embedded engine and the limits of the machine."`
	Help        helpCmd     `cmd:"" help:"List the commands."`
}

// exitUsage is the exit code of a command line without a command.
const exitUsage = 2

// errNoCommand reports that the command line has no command. The list of commands was printed.
var errNoCommand = errors.New("no command")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, errNoCommand):
		os.Exit(exitUsage)
	case err != nil:
		fmt.Fprintln(os.Stderr, "carerecord:", err)
		if hint := hintOf(err); hint != "" {
			fmt.Fprintln(os.Stderr, hint)
		}
		os.Exit(1)
	}
}

// hintOf says what to do about an error of the machine; "" for any other.
func hintOf(err error) string {
	var op *net.OpError
	switch {
	case !errors.Is(err, fs.ErrPermission):
		return ""
	case errors.As(err, &op) && op.Op == "listen" && op.Net == "tcp":
		return "A port below 1024 needs the capability CAP_NET_BIND_SERVICE."
	}
	return "Run this as the account of the server (sudo -u ACCOUNT carerecord …). It must be able to read the files that you name."
}

// run parses and runs one command. Help goes to out, or to errOut if there is no command.
func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	var c cli
	parser, err := newParser(ctx, &c)
	if err != nil {
		return err
	}
	parser.Stdout, parser.Stderr = out, errOut
	if len(args) == 0 {
		parser.Stdout = errOut
		return errors.Join(errNoCommand, listCommands(parser))
	}
	k, err := parser.Parse(args)
	if err != nil {
		return err
	}
	k.BindTo(out, (*io.Writer)(nil))
	return k.Run(verbOf(k.Command()))
}

func newParser(ctx context.Context, c *cli) (*kong.Kong, error) {
	return kong.New(c, kong.Name("carerecord"),
		kong.Description("A shared care record: FHIR R4 with consent enforced on every resource."),
		kong.DefaultEnvars("CARERECORD"),
		kong.BindTo(ctx, (*context.Context)(nil)))
}

// helpCmd lists the commands.
type helpCmd struct{}

// Run prints the list.
func (*helpCmd) Run(k *kong.Kong) error { return listCommands(k) }

// listCommands prints the commands and the flags of all commands.
func listCommands(k *kong.Kong) error {
	trace, err := kong.Trace(k, nil)
	if err != nil {
		return err
	}
	return trace.PrintUsage(false)
}
