package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/go-jose/go-jose/v4"

	"carerecord/conformance/synth"
	"carerecord/consent/policy"
	"carerecord/docs/examples"
	"carerecord/docs/examples/ehr"
	"carerecord/interop/smart/clients"
)

// exampleSite is the address of the site with the example EHR and the example app: that of the server under another name of the
// same machine, so that browsers keep the two apart. It is "" unless the record is a demonstration on a loopback address.
func (c *Config) exampleSite() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil || c.Auth != AuthDemo || !c.OnLoopback() {
		return ""
	}
	name := "localhost"
	if u.Hostname() == name {
		name = "127.0.0.1"
	}
	if u.Port() != "" {
		name = net.JoinHostPort(name, u.Port())
	}
	return u.Scheme + "://" + name
}

// openExamples registers the clients of the examples, with a new key of the EHR, and makes their site. Only a server of a
// demonstration has them: the key is in memory alone, so the EHR of a demonstration that has ended is nobody.
func (n *Node) openExamples(ctx context.Context) error {
	site := n.cfg.exampleSite()
	if site == "" {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key of the example EHR: %w", err)
	}
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "example", Use: "sig", Algorithm: string(jose.ES384)}}})
	if err != nil {
		return fmt.Errorf("write the key of the example EHR: %w", err)
	}
	for _, c := range examples.Clients(site, synth.Acute, public) {
		if err := n.registerExample(ctx, c); err != nil {
			return fmt.Errorf("register the example client %s: %w", c.ID, err)
		}
	}
	cfg := ehr.Config{Record: n.cfg.PublicURL + "/fhir", ClientID: examples.EHRClient, Key: key, KeyID: "example", App: ehr.App{ClientID: examples.StaffApp, Name: "the example app"}}
	for _, p := range n.policy.People {
		if role, ok := n.policy.Role(p.Role); ok && p.Kind == policy.KindStaff && p.Organisation == synth.Acute {
			cfg.Users = append(cfg.Users, ehr.User{Name: p.User, Role: role.Name})
		}
	}
	for _, p := range synth.DemoPatients(synth.Acute) {
		patient := ehr.Patient{ID: p.ID, Name: p.Name, BirthDate: p.BirthDate}
		for _, e := range p.Encounters {
			patient.Encounters = append(patient.Encounters, ehr.Encounter{ID: e.ID, Text: e.Date + ", " + e.Type})
		}
		cfg.Patients = append(cfg.Patients, patient)
	}
	launcher, err := ehr.New(cfg)
	if err != nil {
		return err
	}
	u, err := url.Parse(site)
	if err != nil {
		return fmt.Errorf("address of the examples: %w", err)
	}
	n.examples, n.exampleHost = examples.Site(n.cfg.PublicURL, launcher), u.Hostname()
	return nil
}

// registerExample registers a client of the examples, or puts its registration into force if there is another one of that id: the
// address of the site and the key of the EHR change with each server. A suspended client stays suspended.
func (n *Node) registerExample(ctx context.Context, c clients.Client) error {
	const who = "demonstration"
	r := n.smart.Clients
	known, err := r.Get(ctx, c.ID)
	if errors.Is(err, clients.ErrUnknown) {
		return r.Import(ctx, who, c)
	}
	if err != nil {
		return err
	}
	if known.Proposed == nil && known.Digest() == c.Digest() {
		return nil
	}
	proposed, err := r.Change(ctx, who, known.ID, c)
	if err != nil {
		return err
	}
	_, err = r.Approve(ctx, who, known.ID, proposed.Digest())
	return err
}

// withExamples answers requests for the host name of the examples with their site, and with nothing else; all others go to next. A
// Host chooses between the two sites, and changes nothing in an answer of either (SMART-002).
func (n *Node) withExamples(next http.Handler) http.Handler {
	if n.examples == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Host
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			name = host
		}
		if name == n.exampleHost {
			n.examples.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
