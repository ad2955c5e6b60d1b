package authorize

import (
	"context"
	"errors"
	"time"

	"carerecord/consent/policy"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
)

// Transaction is one authorization request on its way.
type Transaction struct {
	Browser   string         `json:"browser,omitempty"` // binding of the browser; empty until the first page
	Client    string         `json:"client"`
	Redirect  string         `json:"redirect"`
	State     string         `json:"state"`
	Challenge string         `json:"challenge"`
	Nonce     string         `json:"nonce,omitempty"`
	Scope     string         `json:"scope"`
	Prompt    string         `json:"prompt,omitempty"`
	Launch    *launch.Launch `json:"launch,omitempty"`
	Kind      session.Kind   `json:"kind,omitempty"` // of the people who sign in, once it is known
	Patient   string         `json:"patient,omitempty"`
	Person    string         `json:"person,omitempty"`
	Offered   []string       `json:"offered,omitempty"` // ids of the Patients that the chooser offered
	User      string         `json:"user,omitempty"`    // who chose the patient; a choice is worth nothing to another user
	// Encounter is the one that was chosen, or noEncounter, of the Patient EncounterOf.
	Encounter   string `json:"encounter,omitempty"`
	EncounterOf string `json:"encounterOf,omitempty"`
	// Role is the one that the user RoleOf chose.
	Role   policy.RoleAt `json:"role,omitzero"`
	RoleOf string        `json:"roleOf,omitempty"`
	// NotSession is the id of a session that the person does not go on with: a new sign-in follows.
	NotSession string    `json:"notSession,omitempty"`
	Posted     bool      `json:"posted,omitempty"` // the browser has sent a form of a page
	Told       string    `json:"told,omitempty"`   // why the person cannot go on, once a page has told it
	Made       time.Time `json:"made"`
	Ends       time.Time `json:"ends"`
}

// StatePrefix begins the State keys of transactions.
const (
	StatePrefix = "smart/tx/"
	unbound     = "-" // in place of the browser, for a request that came by a post of another site
)

// Life is how long a transaction is open, and maxOpen how many a browser may have (SMART-094).
const (
	Life    = 10 * time.Minute
	maxOpen = 10
)

// errEnded: there is no such transaction in this browser, or it has ended.
var errEnded = errors.New("the authorization has ended")

// open stores a new transaction and returns its id. It returns errTooMany if the browser has many.
func (e *Endpoint) open(ctx context.Context, t Transaction) (string, error) {
	if t.Browser != "" {
		n := 0
		for raw, err := range e.Grants.Ledger.State.Values(ctx, StatePrefix+t.Browser+"/") {
			if err != nil {
				return "", err
			}
			v, err := ledger.Decode[Transaction](raw.Key, raw.Value)
			if err != nil {
				return "", err
			}
			if !e.Grants.Ledger.Now().Before(v.Content.Ends) {
				continue // the store has not removed it yet
			}
			if n++; n >= maxOpen {
				return "", errTooMany
			}
		}
	}
	id := secret.New(secret.Transaction)
	w, err := ledger.New(e.key(t.Browser, id), t, t.Ends)
	if err != nil {
		return "", err
	}
	return id, e.Grants.Ledger.State.Insert(ctx, w.Key, w.Value, t.Ends)
}

// errTooMany: the browser has as many open transactions as it may have.
var errTooMany = errors.New("too many authorizations are open in this browser")

func (e *Endpoint) key(browser, id string) string {
	if browser == "" {
		browser = unbound
	}
	return StatePrefix + browser + "/" + e.Grants.Secrets.Of(id)
}

// read returns a transaction of a browser. One that came by a post belongs to the browser that first asks for it.
func (e *Endpoint) read(ctx context.Context, browser, id string) (ledger.Value[Transaction], error) {
	if !secret.Transaction.Is(id) || browser == "" {
		return ledger.Value[Transaction]{}, errEnded
	}
	v, err := ledger.Read[Transaction](ctx, e.Grants.Ledger.State, e.key(browser, id))
	if ledger.Missing(err) {
		v, err = e.bind(ctx, browser, id)
	}
	if ledger.Missing(err) || err == nil && !e.Grants.Ledger.Now().Before(v.Content.Ends) {
		return v, errEnded
	}
	return v, err
}

// bind gives an unbound transaction to a browser.
func (e *Endpoint) bind(ctx context.Context, browser, id string) (ledger.Value[Transaction], error) {
	raw, err := e.Grants.Ledger.State.Take(ctx, e.key("", id))
	if err != nil {
		return ledger.Value[Transaction]{}, err
	}
	v, err := ledger.Decode[Transaction](e.key("", id), raw)
	if err != nil {
		return v, err
	}
	v.Content.Browser = browser
	w, err := ledger.New(e.key(browser, id), v.Content, v.Content.Ends)
	if err != nil {
		return v, err
	}
	if err := e.Grants.Ledger.State.Insert(ctx, w.Key, w.Value, v.Content.Ends); err != nil {
		return v, err
	}
	return ledger.Decode[Transaction](w.Key, w.Value)
}

// change stores a transaction that a form has changed. It returns errEnded if another request changed it meanwhile.
func (e *Endpoint) change(ctx context.Context, v ledger.Value[Transaction], to Transaction) error {
	to.Posted = true
	v.Content = to
	w, err := v.Change(to.Ends)
	if err != nil {
		return err
	}
	err = e.Grants.Ledger.State.Swap(ctx, w.Key, w.Old, w.Value, to.Ends)
	if ledger.Changed(err) {
		return errEnded
	}
	return err
}

// EndOthers ends the transactions of a browser in which people of a kind sign in, but for one (SMART-160).
func (e *Endpoint) EndOthers(ctx context.Context, browser, but string, kind session.Kind) error {
	if browser == "" {
		return nil
	}
	for raw, err := range e.Grants.Ledger.State.Values(ctx, StatePrefix+browser+"/") {
		if err != nil {
			return err
		}
		v, err := ledger.Decode[Transaction](raw.Key, raw.Value)
		if err != nil {
			return err
		}
		if v.Content.Kind != kind || raw.Key == e.key(browser, but) {
			continue
		}
		if _, err := e.Grants.Ledger.State.Take(ctx, raw.Key); err != nil && !ledger.Missing(err) {
			return err
		}
	}
	return nil
}
