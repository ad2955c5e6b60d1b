package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"carerecord/conformance/capability"
	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/consent/reindex"
	"carerecord/docs/examples"
	"carerecord/fhir/cors"
	"carerecord/fhir/index"
	"carerecord/fhir/rest"
	"carerecord/fhir/search"
	"carerecord/interop/smart"
	signing "carerecord/interop/smart/keys"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/secret"
)

// Node is an opened record with the parts that serve it. No other process may write to it until
// Close.
type Node struct {
	*heldStore
	guard       *consent.Guard
	policy      *policy.Folder // nil under --auth off
	search      *search.Service
	auditWriter *audit.Writer // nil under AuthOff
	smart       *smart.Server // nil under --auth off
	signing     *signing.Keys // nil under --auth off
	rest        *rest.Server
	examples    http.Handler // of a demonstration; nil for none
	exampleHost string       // name under which they are served

	noticed          atomic.Int64              // clients with a notice, when they were counted last
	unidentified     audit.UnidentifiedLimiter // requests without a valid token
	unidentifiedRate int                       // how many of them an address may send a second; 0 is no limit
}

// Open opens a record. The folders of cfg must be set (Config.FillFolders).
func Open(ctx context.Context, cfg Config) (*Node, error) {
	if cfg.Limits == nil {
		limits := DefaultLimits()
		cfg.Limits = &limits
	}
	cfg.Log = filtered(cfg.Log)
	k, folder, err := cfg.readFolders()
	if err != nil {
		if cfg.Engine != nil {
			err = errors.Join(err, cfg.Engine.Close())
		}
		return nil, err
	}
	h, err := hold(ctx, cfg)
	if err != nil {
		return nil, err
	}
	n := &Node{heldStore: h, policy: folder, signing: k.signing}
	n.audited = cfg.Auth.audited()
	n.engine = cfg.observers.wrap(n.engine)
	if err := n.wire(ctx, k); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// readFolders reads the keys and, on a guarded record, the policy. A demonstration gets those
// that are missing.
func (c *Config) readFolders() (keys, *policy.Folder, error) {
	if c.Auth == AuthDemo {
		if err := WriteSamplePolicy(c.PolicyDir); err != nil {
			return keys{}, nil, err
		}
	}
	k, err := loadKeys(c.KeysDir, c.Auth.makesKeys())
	if err != nil {
		return k, nil, err
	}
	if !c.Auth.guarded() {
		folder, err := c.identityPolicy()
		return k, folder, err
	}
	if k.signing, err = signing.Load(c.KeysDir, c.Auth.makesKeys(), time.Now); err != nil {
		return k, nil, err
	}
	if c.Auth == AuthDemo {
		if k.sample, err = signing.Sample(c.KeysDir); err != nil {
			return k, nil, err
		}
	}
	folder, err := policy.Load(c.PolicyDir)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w\nA record needs all of these files before its first start. docs/examples/policy is an example to copy, and docs/operations.md explains it", err)
	}
	if err != nil {
		return k, nil, err
	}
	if folder.Agreement.Relationship == policy.RelationshipAssumed && c.Auth != AuthDemo {
		return k, nil, errors.New("the agreement assumes every legitimate relationship: that is accepted with --demo only")
	}
	return k, folder, nil
}

// identityPolicy reads the policy folder, if there is one, for what the keys of documents depend on: who is one
// person (IDN-101). nil for none.
func (c *Config) identityPolicy() (*policy.Folder, error) {
	if _, err := os.Stat(filepath.Join(c.PolicyDir, "identity.json")); c.PolicyDir == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return policy.Load(c.PolicyDir)
}

// Close gives the right to write back and closes the engine.
func (n *Node) Close() error { return n.close() }

// wire makes the parts over an opened engine.
func (n *Node) wire(ctx context.Context, k keys) error {
	if err := n.readRestoreMark(ctx); err != nil {
		return err
	}
	if n.cfg.Auth.guarded() {
		if err := n.checkFingerprints(ctx, k); err != nil {
			return err
		}
	}
	x, err := n.openGuard(ctx)
	if err != nil {
		return err
	}
	limits := n.cfg.Limits
	sealer, err := search.NewTokenSealer(k.page, limits.pageLife, time.Now, n.engine)
	if err != nil {
		return err
	}
	verify, err := n.openAudit(ctx, k)
	if err != nil {
		return err
	}
	base := n.cfg.PublicURL + "/fhir"
	pages := &cors.Rules{Settings: n.cfg.Origins}
	var security capability.Security
	if n.smart != nil {
		pages, security = n.smart.CORS, capability.Security(n.smart.Endpoints())
	}
	n.unidentifiedRate = limits.rest.UnidentifiedRate
	n.search = &search.Service{Base: base, Index: x, Sealer: sealer, Limits: limits.search}
	n.rest = rest.New(rest.Config{Base: base, Guard: n.guard, Index: x, Search: n.search,
		Verify: verify, Audit: n.auditWriter, Unidentified: &n.unidentified, Closed: n.closed, Limits: limits.rest, CORS: pages, Security: security, Clock: time.Now, Log: n.log,
		Unguarded: !n.cfg.Auth.guarded(), Version: version, Validation: n.cfg.Validation, Strict: n.cfg.Strict, Middleware: n.cfg.observers.request})
	if n.smart != nil {
		n.smart.ServeFHIR(n.rest.Handler())
	}
	return n.rest.Prepare()
}

// openGuard opens the guard with an indexer, and checks that the documents have the keys that
// the indexer makes.
func (n *Node) openGuard(ctx context.Context) (*index.Indexer, error) {
	words, err := reindex.WordsIndexed(ctx, n.engine)
	if err != nil {
		return nil, err
	}
	if n.cfg.WordIndex != nil {
		words = *n.cfg.WordIndex
	}
	x, err := index.New(index.Config{Base: n.cfg.PublicURL + "/fhir", Clock: time.Now, IndexWords: words})
	if err != nil {
		return nil, err
	}
	n.guard, err = consent.Open(ctx, consent.Config{Store: n.engine, State: n.engine, Index: x, Policy: n.policy, Clock: time.Now,
		PublicURL: n.cfg.PublicURL, Integrity: n.cfg.Integrity, Unguarded: !n.cfg.Auth.guarded(), TraceStep: n.cfg.observers.decision})
	if err != nil {
		return nil, err
	}
	err = reindex.New(n.guard, n.engine, time.Now).CheckKeyFormat(ctx)
	if errors.Is(err, reindex.ErrKeyFormat) {
		if n.cfg.otherKeyFormat {
			return x, nil
		}
		err = fmt.Errorf("%w: if the record was made with a policy folder, name it with --policy; else first run carerecord reindex --store %s, with those flags of this command that it has as well", err, n.cfg.Address)
	}
	return x, err
}

// openAudit opens the audit trail and returns the verifier of requests' tokens.
func (n *Node) openAudit(ctx context.Context, k keys) (rest.Verifier, error) {
	var err error
	if n.cfg.Auth.audited() {
		if n.auditWriter, err = audit.New(n.engine, k.audit, time.Second); err != nil {
			return nil, err
		}
	} else if err := n.refuseAudited(ctx); err != nil {
		return nil, err
	}
	if n.cfg.Auth.guarded() {
		return n.openSMART(ctx, k)
	}
	return func(context.Context, http.Header, string) (consent.Principal, error) {
		return consent.Principal{Kind: consent.System}, nil
	}, nil
}

// refuseAudited fails if the store has an audit trail: it is never served without one (AUD-101).
func (n *Node) refuseAudited(ctx context.Context) error {
	head, err := n.engine.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the head of the audit trail: %w", err)
	}
	if head.Pos > 0 {
		return errors.New("this store has an audit trail: it cannot be served with --auth off")
	}
	return nil
}

// openSMART makes the authorization server and registers the clients of the policy folder that are new.
func (n *Node) openSMART(ctx context.Context, k keys) (rest.Verifier, error) {
	digests, err := secret.NewDigester(k.digest)
	if err != nil {
		return nil, err
	}
	var launcher, app string
	if site := n.cfg.exampleSite(); site != "" {
		launcher, app = site+examples.EHRPath, site+examples.StartPath
	}
	n.smart, err = smart.New(smart.Config{Capabilities: n.cfg.Capabilities, EHR: launcher, App: app, Site: n.cfg.PublicURL, Origins: n.cfg.Origins, Loopback: n.cfg.OnLoopback(), State: n.engine, Commit: n.engine, Audit: n.auditWriter, Closed: n.recordClosed,
		Policy: n.policy, Guard: n.guard, Keys: k.signing, SampleKey: k.sample, Secrets: digests, Clock: time.Now, Log: n.log, Epoch: &ledger.Epoch{}, Unidentified: &n.unidentified, Demo: n.cfg.Auth == AuthDemo, Failures: failuresAMinute,
		Introspections: introspectionsAMinute, Observer: n.cfg.observers.authorization()})
	if err != nil {
		return nil, err
	}
	return n.smart.Verify, n.smart.Import(ctx, "policy folder")
}

// failuresAMinute is how many failed token requests of a client at an address are answered in a minute (SMART-482).
const failuresAMinute = 60

// introspectionsAMinute is how many requests for introspection of a client are answered in a minute (SMART-482).
const introspectionsAMinute = 60_000

// Handler answers clients: health requests, the authorization server, and everything else as FHIR. Unknown paths are
// refused and recorded by the FHIR server.
func (n *Node) Handler() http.Handler {
	fhir := n.rest.Handler()
	served := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if n.smart != nil && n.smart.Owns(q.URL.Path) && !rest.HasLeakedToken(q) {
			n.smart.ServeHTTP(w, q)
			return
		}
		fhir.ServeHTTP(w, q)
	}))
	return n.onlyHTTPS(n.onlyProxies(throughProxies(n.cfg.TrustedProxies, n.healthRoutes().before(n.onlyThisMachine(n.withExamples(served))))))
}

// onlyHTTPS tells browsers of a site with https to use nothing else for a year (SMART-005).
func (n *Node) onlyHTTPS(next http.Handler) http.Handler {
	if !strings.HasPrefix(n.cfg.PublicURL, "https:") {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, q)
	})
}
