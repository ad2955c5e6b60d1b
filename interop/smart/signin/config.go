package signin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/store"
)

// CallbackPath is the path of the answers. The name of the issuer follows (SMART-011, 181).
const CallbackPath = "/oauth/callback/"

// Assurance names the rules that a sign-in at an issuer must fulfil.
type Assurance string

// The assurance rules. Those of the national issuers are known and not built.
const (
	AssuranceSample   Assurance = "sample"    // a level for each acr value, for sample people alone
	AssuranceNHSLogin Assurance = "nhs-login" // SMART-190 to 197
	AssuranceCIS2     Assurance = "cis2"      // SMART-200 to 208
)

// Claim is the name of a claim inside this server. Issuers name them differently.
type Claim string

// The claims of an Identity.
const (
	ClaimName      Claim = "name"
	ClaimNHSNumber Claim = "nhs-number"
	ClaimBirthDate Claim = "birth-date"
)

// Endpoints are the addresses of an issuer that has no discovery document.
type Endpoints struct {
	Authorization, Token, Keys, UserInfo string
	// SendsIssuer says that the issuer names itself in its answers (RFC 9207).
	SendsIssuer bool
}

// Issuer is an identity provider (SMART-180).
type Issuer struct {
	Name      string       // of the callback path: lower-case letters, digits and hyphens
	Kind      session.Kind // of the people who sign in there; a sign-in never gives another kind (SMART-189)
	Issuer    string       // issuer identifier, as in ID tokens, byte for byte
	Endpoints *Endpoints   // nil: by the discovery document of the issuer
	ClientID  string
	// Key signs the assertions of private_key_jwt. It has an ID and an algorithm, and signs nothing else (SMART-183).
	Key        jose.JSONWebKey
	Scopes     []string // openid is added
	Algorithms []jose.SignatureAlgorithm
	Assurance  Assurance
	Levels     map[string]int   // acr value → authentication level, for AssuranceSample
	Claims     map[Claim]string // the issuer's names; a claim that is not here is not read
	UserInfo   bool             // read claims that the ID token lacks from UserInfo (SMART-184)
	LogsOut    bool             // it sends logout tokens to LogoutPath (SMART-169)
	Timeout    time.Duration    // of each request to the issuer; zero: 5 s
	// Client sends the requests to the issuer. Its transport decides which addresses can be reached.
	Client *http.Client
}

// Identity is what a verified sign-in says about a person. They are known by Issuer and Subject alone: no other claim
// finds or joins accounts (SMART-185).
type Identity struct {
	session.User
	AuthTime time.Time
	Level    int
	Claims   map[Claim]string
}

// Config has the dependencies of Upstream.
type Config struct {
	Origin   string // scheme and host of this server as browsers see it
	Issuers  []Issuer
	State    store.State
	Digests  secret.Digester
	Clock    func() time.Time
	Sessions *session.Sessions // for the binding to the browser
	// Demonstration allows issuers with AssuranceSample.
	Demonstration bool
	// Verified is called with each verified identity, before the browser is sent on. It may send cookies, as its last
	// step, since the page of an error is sent with them; it writes no answer. Its error is returned by Callback as it is.
	Verified func(w http.ResponseWriter, r *http.Request, transaction string, id Identity) error
	// Continue returns the path at which a transaction goes on. It is made from the id alone (SMART-165).
	Continue func(transaction string) string
}

// Upstream signs people in at issuers. It caches documents and keys of the issuers, keeps all else in State, and is safe
// for concurrent use.
type Upstream struct {
	cfg     Config
	issuers []*issuer
}

// legLife is how long an issuer has to answer: as long as a transaction lives (SMART-094).
const legLife = 10 * time.Minute

// skew is the tolerance for the clock of an issuer (SMART-188).
const skew = 60 * time.Second

var issuerName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// strong are the signature algorithms that an issuer may be allowed: all are asymmetric.
var strong = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512}

// New returns an Upstream. It sends no request. The error names every issuer that is refused and says why.
func New(cfg Config) (*Upstream, error) {
	if cfg.State == nil || cfg.Clock == nil || cfg.Sessions == nil || cfg.Verified == nil || cfg.Continue == nil || cfg.Digests.Of("") == (secret.Digester{}).Of("") {
		return nil, errors.New("sign-in needs State, Digests with a key, Clock, Sessions, Verified and Continue")
	}
	u := &Upstream{cfg: cfg}
	var errs []error
	for _, i := range cfg.Issuers {
		if err := i.check(cfg.Demonstration); err != nil {
			errs = append(errs, fmt.Errorf("issuer %q: %w", i.Name, err))
			continue
		}
		if slices.ContainsFunc(u.issuers, func(other *issuer) bool { return other.Name == i.Name || other.Issuer.Issuer == i.Issuer }) {
			errs = append(errs, fmt.Errorf("issuer %q: its name or its identifier is repeated", i.Name))
			continue
		}
		u.issuers = append(u.issuers, newIssuer(i, cfg.Clock))
	}
	return u, errors.Join(errs...)
}

// check reports all mistakes of an issuer. Anything that is not known to be safe is refused.
func (i Issuer) check(demonstration bool) error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(!issuerName.MatchString(i.Name), "the name must be lower-case letters, digits and hyphens")
	bad(!i.Kind.Known(), "the kind %q is unknown", i.Kind)
	u, err := url.Parse(i.Issuer)
	bad(err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "", "the identifier must be a URL without query and fragment")
	bad(err == nil && u.Scheme == "http" && i.Assurance != AssuranceSample, "the identifier must be https")
	bad(i.ClientID == "", "a client id is required")
	bad(i.Client == nil, "an HTTP client is required")
	bad(len(i.Algorithms) == 0, "signature algorithms are required: those of the discovery document are not used")
	for _, a := range i.Algorithms {
		bad(!slices.Contains(strong, a), "the algorithm %q is not allowed", a)
	}
	bad(!i.Key.Valid() || i.Key.IsPublic() || i.Key.KeyID == "" || !slices.Contains(strong, jose.SignatureAlgorithm(i.Key.Algorithm)), "a private key with an ID and an algorithm is required")
	bad(i.Timeout < 0 || i.Timeout > 30*time.Second, "the timeout must be at most 30 s")
	switch i.Assurance {
	case AssuranceSample:
		bad(!demonstration, "the assurance rules %q are for a demonstration alone", i.Assurance)
	case AssuranceNHSLogin, AssuranceCIS2:
		bad(true, "the assurance rules %q are not built yet, so nobody can sign in there", i.Assurance)
	default:
		bad(true, "the assurance rules %q are unknown, so nobody can sign in there", i.Assurance)
	}
	return errors.Join(errs...)
}

// Names returns the names of the issuers at which people of a kind sign in.
func (u *Upstream) Names(kind session.Kind) []string {
	var out []string
	for _, i := range u.issuers {
		if i.Kind == kind {
			out = append(out, i.Name)
		}
	}
	return out
}

func (u *Upstream) issuer(name string) *issuer {
	if at := slices.IndexFunc(u.issuers, func(i *issuer) bool { return i.Name == name }); at >= 0 {
		return u.issuers[at]
	}
	return nil
}
