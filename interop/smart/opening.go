package smart

import (
	"context"
	"net/http"
	"slices"

	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/record"
)

// notOpening is the page of an opening that has ended, or of none of this session.
func notOpening(err error) error {
	if ledger.Missing(err) {
		return &pages.Failure{Kind: pages.Ended, Apps: AppsPath, Err: err}
	}
	return err
}

// openingOf returns the client of an opening, if its user can open it still.
func (s *Server) openingOf(ctx context.Context, user, key string, raw []byte) (*clients.Client, error) {
	v, err := ledger.Decode[opening](key, raw)
	if err != nil {
		return nil, err
	}
	if !s.cfg.Clock().Before(v.Content.Ends) {
		return nil, notOpening(ledger.ErrMissing)
	}
	client, err := s.client(ctx, v.Content.Client)
	if err != nil {
		return nil, err
	}
	list, err := s.Grants.OfUser(ctx, user)
	if err != nil {
		return nil, err
	}
	if !s.opens(client) || !slices.ContainsFunc(list, func(g grants.Listed) bool { return g.Client == client.ID && g.Purpose == policy.PurposeOwn }) {
		return nil, pages.Fail(pages.NotFound, errNotOpened)
	}
	return client, nil
}

// openApp mints the handle of a launch for the own record of a patient, and sends the browser to the app with it, once.
func (s *Server) openApp(w http.ResponseWriter, r *http.Request, person policy.Person, key string) error {
	ctx := r.Context()
	raw, err := s.cfg.State.Take(ctx, key)
	if err != nil {
		return notOpening(err)
	}
	client, err := s.openingOf(ctx, person.User, key, raw)
	if err != nil {
		return err
	}
	own, err := s.users.authorize.Record.Own(ctx, record.User{Person: person, Client: client, Purpose: policy.PurposeOwn})
	if err != nil {
		return err
	}
	event := ledger.Event{Name: "launch-announce", Request: r.Header.Get(referenceHeader), Of: "client/" + client.ID, Named: own.ID,
		Agent: audit.Agent{Kind: "user", Subject: person.User, Purpose: policy.PurposeOwn}, Client: audit.Client{ID: client.ID, Address: address(r)}}
	if own.ID == "" {
		event.Name, event.Refused, event.Status, event.Detail = "launch-refused", oauth.AccessDenied, http.StatusForbidden, string(pages.NoRecord)
		switch within, err := s.refusals.Note(ctx, event); {
		case err != nil:
			return err
		case !within:
			return pages.Fail(pages.TooMany, nil)
		}
		s.refused(endpointOf(r.URL.Path), oauth.AccessDenied)
		return s.users.pages.Render(w, r, http.StatusForbidden, pages.Refusal{Reason: pages.NoRecord}, pages.Options{Binding: s.users.sessions.Browser(w, r)})
	}
	handle, err := s.users.launches.Book.Announce(ctx, event, launch.Launch{Client: client.ID, Own: true, User: person.User, Patient: own.ID, Person: own.Key})
	if err != nil {
		return err
	}
	to, err := launch.Link(client.LaunchURLs[0], s.cfg.Site+"/fhir", handle)
	if err != nil {
		return err
	}
	w.Header().Set("Referrer-Policy", "same-origin")
	seeOther(w, to)
	return nil
}
