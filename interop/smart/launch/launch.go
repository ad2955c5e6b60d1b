// Package launch keeps the launches that an EHR has announced: which app, for whom, with which patient (SMART App Launch,
// "Launch App: EHR Launch"). A launch is known by a handle, which is used up when the app comes with it, and which is worth
// nothing to another app or another user (SMART-121).
package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/secret"
)

// Launch is an announced launch.
type Launch struct {
	Client       string          `json:"client"`
	Launcher     string          `json:"launcher"`      // the client that announced it
	Own          bool            `json:"own,omitempty"` // of a patient who opens an app from our pages, for the own record; without launcher and organisation
	User         string          `json:"user"`          // who must sign in, of the policy folder
	Organisation string          `json:"organisation"`  // of the launcher
	Patient      string          `json:"patient,omitempty"`
	Number       string          `json:"-"`                // NHS number that the launcher gave in place of a Patient
	Person       string          `json:"person,omitempty"` // person key of the Patient
	Encounter    string          `json:"encounter,omitempty"`
	FHIR         json.RawMessage `json:"fhirContext,omitempty"`
	Banner       *bool           `json:"banner,omitempty"`
	Intent       string          `json:"intent,omitempty"`
	Tenant       string          `json:"tenant,omitempty"`
	Purpose      string          `json:"purpose,omitempty"` // of use; empty for the default of the user (SMART-430)
	Style        string          `json:"style,omitempty"`   // address of the style of the launcher
	Ends         time.Time       `json:"ends"`              // of the handle
}

// StatePrefix is the prefix of the State keys of handles.
const StatePrefix = "smart/launch/"

// Life is how long a handle is valid (SMART-121).
const Life = 5 * time.Minute

// Book keeps launches. It is safe for concurrent use.
type Book struct {
	Ledger  *ledger.Ledger
	Secrets secret.Digester
}

// ErrUnknown: the handle is unknown, expired, used, or of another client. One error for all (SMART-124).
var ErrUnknown = errors.New("the launch is not known")

// Announce stores a launch and returns its handle.
func (b *Book) Announce(ctx context.Context, e ledger.Event, l Launch) (string, error) {
	handle := secret.New(secret.LaunchHandle)
	l.Ends = b.Ledger.Now().Add(Life)
	w, err := ledger.New(StatePrefix+b.Secrets.Of(handle), l, l.Ends)
	if err != nil {
		return "", err
	}
	return handle, b.Ledger.Write(ctx, e, w)
}

// Link returns the address with which an app is launched: its registered launch URL with iss, the FHIR base, and the handle (SMART-122).
func Link(registered, base, handle string) (string, error) {
	u, err := url.Parse(registered)
	if err != nil {
		return "", fmt.Errorf("read a launch URL: %w", err)
	}
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+url.Values{"iss": {base}, "launch": {handle}}.Encode(), "&")
	return u.String(), nil
}

// Take uses up a handle and returns its launch; ErrUnknown for none. Of several uses one succeeds.
func (b *Book) Take(ctx context.Context, handle, client string) (Launch, error) {
	if !secret.LaunchHandle.Is(handle) {
		return Launch{}, ErrUnknown
	}
	key := StatePrefix + b.Secrets.Of(handle)
	raw, err := b.Ledger.State.Take(ctx, key)
	if ledger.Missing(err) {
		return Launch{}, ErrUnknown
	}
	if err != nil {
		return Launch{}, err
	}
	v, err := ledger.Decode[Launch](key, raw)
	if err != nil {
		return Launch{}, err
	}
	if v.Content.Client != client || !b.Ledger.Now().Before(v.Content.Ends) {
		return Launch{}, ErrUnknown
	}
	return v.Content, nil
}
