package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"carerecord/conformance/validate"
	"carerecord/interop/smart/capabilities"
	"carerecord/store"
)

// Config describes how a record is opened. Zero values of optional settings are the defaults.
type Config struct {
	Address   Address
	PublicURL string // of the site, without /fhir
	KeysDir   string
	PolicyDir string
	NewKeys   bool // accept keys other than those with which the store was opened before
	Auth      Auth
	Lease     time.Duration // life of the lease of a MongoDB record; zero is leaseLife
	Log       *slog.Logger

	Validation validate.Mode // of bodies
	Strict     bool          // handling=strict where a request names no handling
	Limits     *Limits       // nil is DefaultLimits
	Origins    []string      // of web pages that may call

	TrustedProxies []netip.Prefix // that name the client in X-Forwarded-For
	// OnlyProxies: an address without TLS can be reached from other machines, so requests of peers that are no trusted proxies are refused.
	OnlyProxies  bool
	Capabilities capabilities.Set
	Integrity    bool  // refuse references to local resources that do not exist
	WordIndex    *bool // whether words have keys; nil is as the store is keyed

	// Engine is already open, and is used instead of Address without a lease. The Node closes it.
	Engine store.Engine

	otherKeyFormat bool      // open a store whose documents have keys of another format: reindex
	noWait         bool      // fail at once if another process has the lease
	observers      observers // around requests, decisions and the engine
}

// Auth selects how requesters are authenticated. The zero value is AuthSMART.
type Auth int

const (
	// AuthSMART takes the tokens of the policy's clients.
	AuthSMART Auth = iota
	// AuthDemo is AuthSMART for a demonstration: it has sample people and clients, prints tokens,
	// makes missing keys, and accepts a policy that assumes every legitimate relationship.
	AuthDemo
	// AuthOff lets everybody do everything, and writes no audit trail.
	AuthOff
	// AuthOffAudited is AuthOff with an audit trail, to measure what the audit trail costs.
	AuthOffAudited
)

// guarded reports whether the policy and the consent of patients decide.
func (a Auth) guarded() bool { return a == AuthSMART || a == AuthDemo }

// audited reports whether requests and operations have a record in the audit trail.
func (a Auth) audited() bool { return a != AuthOff }

// makesKeys reports whether missing sealing keys are made.
func (a Auth) makesKeys() bool { return a != AuthSMART }

// showsCounts reports whether every operator may know how many documents there are.
func (a Auth) showsCounts() bool { return a != AuthSMART }

// FillFolders sets the folders of keys and policy to those below the folder of a Pebble store,
// unless they are named. A MongoDB store has no folder: they must be named.
func (c *Config) FillFolders() error {
	if c.Address.folder != "" {
		if c.KeysDir == "" {
			c.KeysDir = filepath.Join(c.Address.folder, "keys")
		}
		if c.PolicyDir == "" {
			c.PolicyDir = filepath.Join(c.Address.folder, "policy")
		}
	}
	if c.KeysDir == "" || c.PolicyDir == "" && c.Auth.guarded() {
		return errors.New("a MongoDB store has no folder: name one with --keys and one with --policy")
	}
	return nil
}

// OnLoopback reports whether the site is at an address that only this machine can reach.
func (c *Config) OnLoopback() bool {
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return false
	}
	return loopbackName(u.Hostname())
}

// demoFile is a file in the policy folder of a demonstration. It holds the public URL.
const demoFile = "demo"

// FindDemo sets AuthDemo and the public URL if the policy folder is that of a demonstration.
func (c *Config) FindDemo() {
	if url, err := os.ReadFile(filepath.Join(c.PolicyDir, demoFile)); err == nil {
		c.Auth, c.PublicURL = AuthDemo, string(url)
	}
}

// markDemo writes the file that FindDemo reads.
func (c *Config) markDemo() error {
	if err := os.WriteFile(filepath.Join(c.PolicyDir, demoFile), []byte(c.PublicURL), 0o600); err != nil {
		return fmt.Errorf("mark the demonstration: %w", err)
	}
	return nil
}
