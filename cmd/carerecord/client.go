package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/logo"
)

// clientCmd has the commands for the registry of client applications (SMART-051).
type clientCmd struct {
	Add     clientAddCmd     `cmd:"" help:"Propose a client. It is served once somebody else has approved it."`
	Show    clientShowCmd    `cmd:"" help:"Print a client as JSON."`
	List    clientListCmd    `cmd:"" help:"List all clients."`
	Change  clientChangeCmd  `cmd:"" help:"Propose another registration of a client, from a JSON file as show prints it."`
	Approve clientApproveCmd `cmd:"" help:"Approve what somebody else has proposed. The tokens of the registration before end."`
	Suspend clientVerbCmd    `cmd:"" help:"Stop a client. All its tokens end at once."`
	Resume  clientVerbCmd    `cmd:"" help:"Serve a suspended client again. Its earlier tokens stay ended."`

	RotateSecret clientVerbCmd      `cmd:"" help:"Print a new secret, this once. The one before is valid for another week."`
	SetKeys      clientSetKeysCmd   `cmd:"" help:"Propose other keys of a client."`
	RevokeTokens clientVerbCmd      `cmd:"" help:"End all tokens of a client at once."`
	Approvals    clientApprovalsCmd `cmd:"" help:"List what organisations have approved for their staff, who then see no consent screen."`
	Withdraw     clientWithdrawCmd  `cmd:"" help:"Withdraw the approval of an organisation. The grants that were made without a screen end at once."`
	EndGrants    clientEndCmd       `cmd:"" help:"End all tokens of an organisation, of a user or of everybody at once."`
	Export       clientListCmd      `cmd:"" help:"Print all clients as JSON, for import. Secrets are not in it."`
	Import       clientImportCmd    `cmd:"" help:"Propose the clients of an exported file, under their ids, after a store was restored."`
}

// clientFlags are those of every command for clients.
type clientFlags struct {
	storeFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// send sends a request and prints the answer to out.
func (f clientFlags) send(ctx context.Context, out io.Writer, request node.ClientRequest) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	answer, err := node.Clients(ctx, cfg, request)
	if err != nil {
		return err
	}
	return f.print(out, answer)
}

func (f clientFlags) print(w io.Writer, answer node.ClientAnswer) error {
	if f.JSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(answer)
	}
	if answer.Secret != "" {
		_, err := fmt.Fprintln(w, answer.Secret)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range answer.Clients {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", c.ID, c.Status, c.Kind, c.Name, c.Scopes)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, c := range answer.Clients {
		for _, notice := range answer.Notices[c.ID] {
			fmt.Fprintf(w, "! %s: %s\n", c.ID, notice)
		}
	}
	if err := printApprovals(w, answer.Approvals); err != nil {
		return err
	}
	for _, id := range answer.LeftOut {
		fmt.Fprintf(w, "left out, registered already or not by this command: %s\n", id)
	}
	if answer.Digest != "" {
		fmt.Fprintf(w, "Somebody else approves it with: carerecord client approve %s %s\n", answer.Clients[0].ID, answer.Digest)
	}
	return nil
}

// clientAddCmd proposes a client.
type clientAddCmd struct {
	clientFlags
	File         string       `help:"JSON file with the whole registration, instead of the flags below." type:"existingfile"`
	Name         string       `help:"Name that people see."`
	Publisher    string       `help:"Who makes the app."`
	Kind         clients.Kind `help:"public, confidential-symmetric, confidential-asymmetric or backend."`
	Redirect     []string     `help:"Redirect URI; repeat the flag for more."`
	LaunchURL    []string     `name:"launch-url" help:"Launch URL of an EHR launch; repeat the flag for more."`
	WebOrigin    []string     `help:"Origin of its web pages; repeat the flag for more."`
	Audience     []string     `help:"patient, clinician, or both: who uses it. Or administrator."`
	Scopes       string       `help:"The widest scopes that it may have."`
	Purpose      []string     `help:"Purpose of use: PATRQT for an app of patients, TREAT or COC for staff and their systems, HOPERAT for operators and administrators; repeat the flag for more."`
	Organisation string       `help:"ODS code of the organisation that runs it."`
	Right        []string     `help:"__introspect, __launch, or __clients and __apps for an app of administrators."`
	Flow         string       `help:"ingest: a source system, which reads and writes the data of its organisation."`
	IDPrefix     string       `name:"id-prefix" help:"Of a source system: prefix of the ids that it chooses, such as xac02.lab. with the dot at its end"`
	Offline      *bool        `help:"It may have access while nobody is signed in. Default: yes for an app of patients alone." negatable:""`

	Intent          []string `help:"Intent that a launch may name; repeat the flag for more."`
	NoPatientChoice bool     `help:"A launch without a patient is refused where the app needs one: nobody chooses."`
	Contact         string   `help:"Whom to ask about the app."`
	TermsURL        string   `name:"terms-url" help:"Address of its terms."`
	PrivacyURL      string   `name:"privacy-url" help:"Address of its privacy notice."`
	Logo            string   `help:"File of the image that people see beside its name: PNG, JPEG or GIF, at most 256 KB and 2048 pixels a side." type:"existingfile"`

	Evidence      map[string]string `help:"Reference of a proof, such as dtac=…; repeat the flag for more: dtac, dcb0129, dspt, dpia." placeholder:"NAME=REFERENCE"`
	AgreementEnds time.Time         `help:"Day on which the agreement with its maker ends." format:"2006-01-02"`
	Review        time.Time         `help:"Day by which the registration is reviewed: from then on the client is not served." format:"2006-01-02"`

	KeysFile string `help:"File of its public keys, a JWK set." type:"existingfile"`
	KeysURL  string `help:"URL of its public keys."`
}

// Run proposes the client and prints its id.
func (c *clientAddCmd) Run(ctx context.Context, out io.Writer) error {
	made := clients.Client{Name: c.Name, Publisher: c.Publisher, Kind: c.Kind, RedirectURIs: c.Redirect, LaunchURLs: c.LaunchURL, Origins: c.WebOrigin, Audience: c.Audience, Scopes: c.Scopes,
		Purposes: c.Purpose, Organisation: c.Organisation, Rights: c.Right, Flow: c.Flow, IDPrefix: c.IDPrefix, KeysURL: c.KeysURL,
		Intents: c.Intent, NoPatientChoice: c.NoPatientChoice, Contact: c.Contact, TermsURL: c.TermsURL, PrivacyURL: c.PrivacyURL,
		Evidence: c.Evidence, AgreementEnds: c.AgreementEnds, Review: c.Review}
	if made.Offline = clients.OfflineByDefault(&made); c.Offline != nil {
		made.Offline = *c.Offline
	}
	if c.File != "" {
		var err error
		if made, err = readClient(c.File); err != nil {
			return err
		}
	}
	if c.KeysFile != "" {
		keys, err := os.ReadFile(c.KeysFile)
		if err != nil {
			return fmt.Errorf("read the keys: %w", err)
		}
		made.Keys = bytes.TrimSpace(keys)
	}
	if err := readLogo(&made, c.Logo); err != nil {
		return err
	}
	err := c.send(ctx, out, node.ClientRequest{Verb: "add", Client: &made})
	if err != nil && c.File == "" {
		return withFlags(err)
	}
	return err
}

// readLogo gives a registration the logo of a file; it does nothing for an empty name.
func readLogo(c *clients.Client, file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read the logo: %w", err)
	}
	defer f.Close()
	if c.Logo, err = io.ReadAll(io.LimitReader(f, logo.MaxBytes+1)); err != nil { // the registry refuses one that is longer
		return fmt.Errorf("read the logo: %w", err)
	}
	return nil
}

// readClient reads a registration. A member that it does not have is an error.
func readClient(file string) (c clients.Client, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return c, fmt.Errorf("read the client: %w", err)
	}
	if c, err = clients.Decode(text); err != nil {
		return c, fmt.Errorf("read the client %s: %w", file, err)
	}
	return c, nil
}

// clientShowCmd prints a client.
type clientShowCmd struct {
	storeFlags
	ID string `arg:"" help:"Id of the client."`
}

// Run prints the client as JSON.
func (c *clientShowCmd) Run(ctx context.Context, out io.Writer) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	answer, err := node.Clients(ctx, cfg, node.ClientRequest{Verb: "show", ID: c.ID})
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(answer.Clients[0])
}

// clientListCmd lists or exports clients.
type clientListCmd struct{ clientFlags }

// Run lists the clients.
func (c *clientListCmd) Run(ctx context.Context, out io.Writer, verb clientVerb) error {
	c.JSON = c.JSON || verb == "export"
	return c.send(ctx, out, node.ClientRequest{Verb: string(verb)})
}

// clientVerb is the name of the command that runs, for types that several commands share.
type clientVerb string

// clientVerbCmd does one thing with a client.
type clientVerbCmd struct {
	clientFlags
	ID string `arg:"" help:"Id of the client."`
}

// Run does it.
func (c *clientVerbCmd) Run(ctx context.Context, out io.Writer, verb clientVerb) error {
	return c.send(ctx, out, node.ClientRequest{Verb: string(verb), ID: c.ID})
}

// clientChangeCmd proposes another registration.
type clientChangeCmd struct {
	clientFlags
	ID   string `arg:"" help:"Id of the client."`
	File string `arg:"" help:"JSON file with the whole registration." type:"existingfile"`
	Logo string `help:"File of another image that people see beside its name: PNG, JPEG or GIF, at most 256 KB and 2048 pixels a side." type:"existingfile"`
}

// Run proposes it.
func (c *clientChangeCmd) Run(ctx context.Context, out io.Writer) error {
	with, err := readClient(c.File)
	if err != nil {
		return err
	}
	if err := readLogo(&with, c.Logo); err != nil {
		return err
	}
	return c.send(ctx, out, node.ClientRequest{Verb: "change", ID: c.ID, Client: &with})
}

// clientApproveCmd approves a proposal.
type clientApproveCmd struct {
	clientFlags
	ID     string `arg:"" help:"Id of the client."`
	Digest string `arg:"" help:"Digest of what is proposed: the member digest of proposed, as client show prints it."`
}

// Run approves it.
func (c *clientApproveCmd) Run(ctx context.Context, out io.Writer) error {
	return c.send(ctx, out, node.ClientRequest{Verb: "approve", ID: c.ID, Digest: c.Digest})
}

// clientSetKeysCmd proposes keys.
type clientSetKeysCmd struct {
	clientFlags
	ID   string `arg:"" help:"Id of the client."`
	File string `help:"File with a JWK set." type:"existingfile" xor:"keys"`
	URL  string `name:"url" help:"URL of a JWK set." xor:"keys"`
}

// Run proposes them.
func (c *clientSetKeysCmd) Run(ctx context.Context, out io.Writer) error {
	request := node.ClientRequest{Verb: "set-keys", ID: c.ID, URL: c.URL}
	if c.File != "" {
		keys, err := os.ReadFile(c.File)
		if err != nil {
			return fmt.Errorf("read the keys: %w", err)
		}
		request.Keys = bytes.TrimSpace(keys)
	}
	return c.send(ctx, out, request)
}

// clientEndCmd ends grants.
type clientEndCmd struct {
	clientFlags
	Organisation string `help:"ODS code: of this organisation's people and clients." xor:"of" required:""`
	User         string `help:"Of this user." xor:"of" required:""`
	Grant        string `help:"The one with this id, as the audit trail names it." xor:"of" required:""`
	Everybody    bool   `help:"Of everybody." xor:"of" required:""`
}

// Run ends them.
func (c *clientEndCmd) Run(ctx context.Context, out io.Writer) error {
	return c.send(ctx, out, node.ClientRequest{Verb: "end-grants", Of: grants.Of{Organisation: c.Organisation, User: c.User}, Grant: c.Grant})
}

// clientImportCmd proposes exported clients.
type clientImportCmd struct {
	clientFlags
	File string `arg:"" help:"File that export printed." type:"existingfile"`
}

// Run proposes them.
func (c *clientImportCmd) Run(ctx context.Context, out io.Writer) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read the clients: %w", err)
	}
	var exported struct{ Clients []clients.Client }
	if err := json.Unmarshal(text, &exported); err != nil {
		return fmt.Errorf("read the clients %s: %w", c.File, err)
	}
	return c.send(ctx, out, node.ClientRequest{Verb: "import", Import: exported.Clients})
}

// verbOf returns the last word of a command.
func verbOf(command string) clientVerb {
	words := strings.Fields(command)
	verb := ""
	for _, w := range words {
		if !strings.HasPrefix(w, "<") {
			verb = cmp.Or(w, verb)
		}
	}
	return clientVerb(verb)
}
