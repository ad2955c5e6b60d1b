package main

import (
	"context"
	"fmt"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/interop/smart/printed"
)

// tokenCmd prints an access token.
type tokenCmd struct {
	storeFlags
	User    string `help:"Sample person: gp, consultant, clerk, nurse, patient."`
	Client  string `help:"Client: demo-ehr, demo-app, demo-feed, demo-gp-feed, demo-operator." required:""`
	Scope   string `help:"SMART 2.2 scopes. Default: all scopes that the client may have."`
	Patient string `help:"Of staff: id of the Patient in context, to whose record patient/ scopes are limited."`
	Purpose string `help:"Purpose of use. Default: TREAT; for a patient PATRQT."`
}

// Run prints the token and nothing else.
func (c *tokenCmd) Run(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	token, err := node.IssueToken(ctx, cfg, printed.Request{User: c.User, Client: c.Client, Scope: c.Scope, Patient: c.Patient, Purpose: c.Purpose})
	if err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}
