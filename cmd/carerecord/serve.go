package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/conformance/validate"
	"carerecord/interop/smart/capabilities"
)

// serveCmd serves a record.
type serveCmd struct {
	Listen    string `help:"Address to listen on." default:"127.0.0.1:8080"`
	Store     string `help:"pebble:DIR or mongodb://HOST/DATABASE." required:""`
	TLSCert   string `name:"tls-cert" help:"File with the certificate and its chain, in PEM, for both addresses. A renewed file is read within seconds." type:"path"`
	TLSKey    string `name:"tls-key" help:"File with the private key of the certificate, in PEM." type:"path"`
	PublicURL string `help:"Address of the site as clients see it, without /fhir. Default: https:// with a certificate, else http://, and the address of --listen."`
	Auth      string `help:"smart, or off: everybody may read and write everything, on a loopback address only." enum:"smart,off" default:"smart"`
	Demo      bool   `help:"Load the synthetic region on first start, with sample people and clients."`
	Keys      string `help:"Folder of the sealing keys. Default: keys in the folder of a Pebble store." type:"path"`
	NewKeys   bool   `help:"Accept keys other than those with which the store was served before, which are lost or known to others. Page links, tokens and client secrets of before are then not valid, and the queries in the audit trail cannot be read."`
	Policy    string `help:"Folder of the sharing agreement, organisations, roles, people and clients. Default: policy in the folder of a Pebble store." type:"path"`

	Validation validate.Mode `help:"strict, or lenient: missing mandatory elements and unknown codes of required bindings are accepted with a warning." default:"strict"`

	Handling string `help:"Handling of requests without Prefer: handling. strict refuses unknown parameters; lenient ignores them, and searches warn." enum:"strict,lenient" default:"lenient"`

	Admin string `help:"Address of /metrics, /healthz, /readyz, /admin/clients, /admin/apps, /admin/end-grants, /admin/reindex and /admin/identities for operators and administrators, such as 127.0.0.1:8081. Default: no /metrics."`

	Limit     map[string]string `help:"A limit, such as page=50; repeat the flag for more. The log lists all limits at start." placeholder:"NAME=VALUE"`
	Integrity bool              `help:"Refuse writes with references to local resources that do not exist."`

	WordIndex *bool `help:"Index all words, for _text and _content: takes disk space and time. Default: as the store is keyed; a new store has no index of words. carerecord reindex changes it." negatable:""`

	ReindexRate int `help:"How many documents a second are read at most to index a defined search parameter, while requests are served. -1 is no limit." default:"2000"`

	SigningKeyLife time.Duration `help:"Age at which the server replaces its signing key, such as 2160h. Default: never; carerecord keys rotate does it too."`

	Origin []string `help:"Origin of web pages that may call, such as https://app.example; repeat the flag for more."`

	TrustedProxy []string `help:"Address or network of a proxy, such as 10.0.0.7 or 10.1.0.0/16, whose X-Forwarded-For names the client for limits and the audit trail; repeat the flag for more. Of other peers the header has no effect."`

	SmartWithout []string `name:"smart-without" help:"A capability of SMART that is switched off, such as launch-ehr or client-public; repeat the flag for more. It is not advertised, and nothing of it works."`
	SmartWith    []string `name:"smart-with" help:"A capability of SMART that is off by default and is switched on: context-style; repeat the flag for more."`

	Lease time.Duration `help:"How long a MongoDB record stays locked after its server was killed. The server renews the lease three times in that time. The clocks of all machines must agree within a tenth of it." default:"15s"`
}

// Run serves until the context ends, then finishes running requests.
func (c *serveCmd) Run(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return fmt.Errorf("these settings are not valid:\n%w", err)
	}
	cfg.Log, cfg.Welcome = slog.New(slog.NewTextHandler(os.Stderr, nil)), os.Stdout
	return node.Serve(ctx, cfg)
}

// config checks the flags. The error lists every mistake.
func (c *serveCmd) config() (node.ServeConfig, error) {
	var all []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	limits := node.DefaultLimits()
	if err := limits.Set(c.Limit); err != nil {
		all = append(all, err)
	}
	cfg := node.ServeConfig{Listen: c.Listen, Admin: c.Admin, TLS: node.TLSFiles{Cert: c.TLSCert, Key: c.TLSKey}, IndexRate: c.ReindexRate, KeyLife: c.SigningKeyLife, Config: node.Config{
		PublicURL: strings.TrimSuffix(c.PublicURL, "/"), KeysDir: c.Keys, NewKeys: c.NewKeys, PolicyDir: c.Policy, Lease: c.Lease,
		Validation: c.Validation, Strict: c.Handling == "strict", Limits: &limits, Origins: c.Origin, Integrity: c.Integrity, WordIndex: c.WordIndex}}
	if c.Demo {
		cfg.Auth = node.AuthDemo
	}
	setAuth(&cfg.Config, c.Auth)
	c.checkAddresses(&cfg, refuse)
	refuse(c.SigningKeyLife != 0 && c.SigningKeyLife < time.Hour, "--signing-key-life must be at least an hour, not %s", c.SigningKeyLife)
	refuse(c.Lease < time.Second, "--lease must be at least one second, not %s", c.Lease)
	var err error
	if cfg.Capabilities, err = capabilities.Without(c.SmartWithout...); err != nil {
		all = append(all, fmt.Errorf("--smart-without: %w", err))
	}
	if cfg.Capabilities, err = cfg.Capabilities.With(c.SmartWith...); err != nil {
		all = append(all, fmt.Errorf("--smart-with: %w", err))
	}
	if cfg.TrustedProxies, err = node.ParseProxies(c.TrustedProxy); err != nil {
		all = append(all, fmt.Errorf("--trusted-proxy: %w", err))
	}
	if cfg.Address, err = node.ParseAddress(c.Store); err == nil {
		err = cfg.FillFolders()
	}
	if err != nil {
		all = append(all, err)
	}
	return cfg, errors.Join(all...)
}
