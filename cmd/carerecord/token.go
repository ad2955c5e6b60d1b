package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"carerecord/consent/audit"
	"carerecord/interop/smart"
)

// storeFlags name a store for the commands beside serve.
type storeFlags struct {
	Store  string `help:"pebble:DIR or mongodb://HOST/DATABASE." required:""`
	Keys   string `help:"Folder of the sealing keys. Default: keys in the folder of a Pebble store." type:"path"`
	Policy string `help:"Folder of the policy. Default: policy in the folder of a Pebble store." type:"path"`
}

// settings are those of a store that is a demo exactly if its folder says so.
func (f storeFlags) settings() (settings, error) {
	p, err := placeOf(f.Store)
	if err != nil {
		return settings{}, err
	}
	s := settings{place: p, keysDir: f.Keys, policyDir: f.Policy, publicURL: "http://127.0.0.1:8080", log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if err := s.folders(); err != nil {
		return settings{}, err
	}
	b, err := os.ReadFile(filepath.Join(s.policyDir, demoMark))
	if err == nil {
		s.demo, s.publicURL = true, string(b)
	}
	return s, nil
}

// siteFlags are those of a command that keys or reads keys as the server of a store
// does.
type siteFlags struct {
	storeFlags
	PublicURL string `help:"Address of the site that the record is served at: keys of absolute references depend on it. Default: that of a demonstration, else http://127.0.0.1:8080. A running server knows its own."`
	Auth      string `help:"off: a store that is served with --auth off." enum:"smart,off" default:"smart"`
}

func (f siteFlags) settings() (settings, error) {
	s, err := f.storeFlags.settings()
	s.unguarded = f.Auth == "off"
	if f.PublicURL != "" {
		s.publicURL = strings.TrimSuffix(f.PublicURL, "/")
	}
	return s, err
}

// tokenCmd prints a bare access token.
type tokenCmd struct {
	storeFlags
	User    string `help:"Sample person: gp, consultant, clerk, nurse, patient."`
	Client  string `help:"Client: demo-ehr, demo-app, demo-feed, demo-gp-feed, demo-operator." required:""`
	Scope   string `help:"SMART 2.2 scopes. Default: what the client may have."`
	Patient string `help:"Launch context; not built yet."`
	Purpose string `help:"Purpose of use. Default: TREAT, a patient's PATRQT."`
}

// Run prints the token and nothing else.
func (c *tokenCmd) Run(ctx context.Context) error {
	s, err := c.settings()
	if err != nil {
		return err
	}
	spec := smart.Spec{User: c.User, Client: c.Client, Scope: c.Scope, Patient: c.Patient, Purpose: c.Purpose}
	if client := socketClient(s); client != nil {
		body, err := json.Marshal(spec)
		if err != nil {
			return err
		}
		out, err := ask(ctx, client, "POST", "/token", body)
		if err != nil {
			return err
		}
		fmt.Println(string(out))
		return nil
	}
	r, err := openRecord(ctx, s)
	if err != nil {
		return err
	}
	defer r.close()
	token, err := r.issue(ctx, s, operatorName(), spec)
	if err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}

// auditCmd works with the trail.
type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Read the whole trail and name every place where it was changed."`
}

// auditVerifyCmd verifies the chain.
type auditVerifyCmd struct {
	storeFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the report; a broken chain is an error.
func (c *auditVerifyCmd) Run(ctx context.Context) error {
	s, err := c.settings()
	if err != nil {
		return err
	}
	var report audit.Report
	if client := socketClient(s); client != nil {
		out, err := ask(ctx, client, "GET", "/audit", nil)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(out, &report); err != nil {
			return fmt.Errorf("read the server's report: %w", err)
		}
	} else {
		if report, err = verifyTrail(ctx, s); err != nil {
			return err
		}
	}
	return tell(os.Stdout, report, c.JSON)
}

// verifyTrail reads the trail of a store that no server on this machine holds. Where a
// process elsewhere does, one may write to it alone, so that nobody records who read it here.
func verifyTrail(ctx context.Context, s settings) (audit.Report, error) {
	s.atOnce = true
	r, err := openHeld(ctx, s)
	if errors.Is(err, errHeld) {
		s.log.Warn("the trail is read without a record of that, since another process holds it: beside a server, ask on its machine")
		e, err := s.place.open(ctx)
		if err != nil {
			return audit.Report{}, fmt.Errorf("open %s: %w", redact(s.place.address), err)
		}
		defer e.Close()
		return audit.Verify(ctx, e)
	}
	if err != nil {
		return audit.Report{}, err
	}
	defer r.close()
	report, err := audit.Verify(ctx, r.engine)
	if err != nil {
		return report, err
	}
	return report, r.note(ctx, audit.Operation{Name: "audit-verify", Who: operatorName(), Status: http.StatusOK})
}

func tell(w io.Writer, report audit.Report, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(w).Encode(report); err != nil {
			return err
		}
	} else {
		report.Print(w)
	}
	if !report.OK() {
		return fmt.Errorf("the trail was changed at %d places", len(report.Breaks))
	}
	return nil
}
