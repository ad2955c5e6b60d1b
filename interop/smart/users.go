package smart

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/portal"
	"carerecord/interop/smart/authorize"
	"carerecord/interop/smart/browse"
	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/idp"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/record"
	"carerecord/interop/smart/reminder"
	"carerecord/interop/smart/resource"
	"carerecord/interop/smart/scopes"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
	"carerecord/interop/smart/staff"
)

// users are the parts for people: pages, sessions, sign-in and authorization. A server without an issuer has none, and serves
// backend clients alone.
type users struct {
	pages     *pages.Renderer
	sessions  *session.Sessions
	upstream  *signin.Upstream
	authorize *authorize.Endpoint
	launches  *launch.Endpoint
	reminders *reminder.Book
	activity  activity
	directory *staff.Directory
	choices   *portal.Choices
	changes   *limits.Limit            // of the choices of each person
	browse    *browse.Reader           // of a demonstration; nil for none
	providers map[string]*idp.Provider // of a demonstration, by path
	answers   *limits.Limit            // of failed sign-ins at an address
	logouts   *limits.Limit            // of refused logout tokens at an address
}

// unknownPerson is the reason of a sign-in of somebody who is not in the policy.
const unknownPerson = "UNKNOWN_PERSON"

// The names of the sample issuers.
const (
	sampleStaff    = "sample-staff"
	samplePatients = "sample-patients"

	sampleAdministrators = "sample-administrators"
)

// openUsers makes the parts for people, with the sample issuers of a demonstration. The issuers of the country are not built
// (SMART-190 to 208), so only a demonstration has people. auth records what the launch API refuses.
func (s *Server) openUsers(auth *clientauth.Authenticator) (err error) {
	u := &users{answers: limits.New(s.cfg.Failures, s.cfg.Clock), logouts: limits.New(s.cfg.Failures, s.cfg.Clock), changes: limits.New(s.cfg.Failures, s.cfg.Clock)}
	if u.sessions, err = session.New(session.Config{State: s.cfg.State, Digests: s.cfg.Secrets, Clock: s.cfg.Clock, Secure: strings.HasPrefix(s.cfg.Site, "https:")}); err != nil {
		return err
	}
	u.pages, err = pages.New(pages.Config{Origin: s.cfg.Site, Digests: s.cfg.Secrets, Demonstration: s.cfg.Demo, Browser: u.sessions.Browser,
		Reference: func(r *http.Request) string { return r.Header.Get(referenceHeader) }, Refused: s.refusedPage,
		Log: func(r *http.Request, reference string, err error) {
			s.cfg.Log.Info("a page was refused", "request", reference, "path", r.URL.Path, "reason", err)
		}})
	if err != nil {
		return err
	}
	if err := s.openSampleIssuers(u); err != nil {
		return err
	}
	u.reminders = &reminder.Book{Ledger: s.Grants.Ledger, Secrets: s.cfg.Secrets}
	reader := &record.Record{Guard: s.cfg.Guard, Verifier: s.Resource, Closed: s.cfg.Closed}
	book := &launch.Book{Ledger: s.Grants.Ledger, Secrets: s.cfg.Secrets}
	u.authorize = &authorize.Endpoint{Base: s.cfg.Site + "/fhir", Grants: s.Grants, Lives: grants.DefaultLives(), Launches: book, Sessions: u.sessions, SignIn: u.upstream,
		Pages: u.pages, Policy: s.cfg.Policy, Record: reader, Subject: s.subject, Starts: limits.New(s.cfg.Failures, s.cfg.Clock), SignIns: limits.New(s.cfg.Failures, s.cfg.Clock), Searches: limits.New(s.cfg.Failures, s.cfg.Clock),
		Refusals: s.refusals, Refused: func(code string) { s.refused("authorize", code) }, Address: address, Capabilities: s.cfg.Capabilities, StopPath: AppsPath, StopPathOf: func(kind session.Kind) string { return pageOf(AppsPath, kind) },
		Reminders: u.reminders, Reminder: s.reminder, Reminded: s.reminded}
	u.launches = &launch.Endpoint{Book: book, Grants: s.Grants, Auth: auth, Failures: limits.New(s.cfg.Failures, s.cfg.Clock), Base: s.cfg.Site + "/fhir", Address: address, Capabilities: s.cfg.Capabilities,
		Resolve: func(ctx context.Context, l *launch.Launch, client *clients.Client) error {
			return resolveLaunch(ctx, s.cfg.Policy, reader, l, client)
		}}
	u.directory = &staff.Directory{Guard: s.cfg.Guard, Record: reader, State: s.cfg.State, Audit: s.cfg.Audit, Policy: s.cfg.Policy, Secrets: s.cfg.Secrets, Clock: s.cfg.Clock, Base: s.cfg.Site + "/fhir"}
	u.choices = &portal.Choices{Guard: s.cfg.Guard, Audit: s.cfg.Audit, Policy: s.cfg.Policy}
	s.users = u
	s.Resource.Used = s.used
	return nil
}

// openSampleIssuers makes the sample issuers, and the way to sign in at them.
func (s *Server) openSampleIssuers(u *users) error {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key of the sample sign-in: %w", err)
	}
	clientKey := jose.JSONWebKey{Key: key, KeyID: "sign-in", Algorithm: string(jose.ES384), Use: "sig"}
	u.providers = map[string]*idp.Provider{}
	for name, kind := range map[string]session.Kind{sampleStaff: session.Staff, samplePatients: session.Patient, sampleAdministrators: session.Administrator} {
		p, err := idp.New(idp.Config{Origin: s.cfg.Site, Name: name, Kind: kind, People: idp.PeopleOf(s.cfg.Policy, kind), ClientKey: clientKey, Key: s.cfg.SampleKey, State: s.cfg.State, Digests: s.cfg.Secrets,
			Clock: s.cfg.Clock, Pages: u.pages, Browser: u.sessions.Browser})
		if err != nil {
			return err
		}
		u.providers[idp.Path+name] = p
	}
	client := s.measure(idp.Client(slices.Collect(maps.Values(u.providers))...))
	var issuers []signin.Issuer
	for _, p := range u.providers {
		issuers = append(issuers, p.Issuer(client))
	}
	u.upstream, err = signin.New(signin.Config{Origin: s.cfg.Site, Issuers: issuers, State: s.cfg.State, Digests: s.cfg.Secrets, Clock: s.cfg.Clock, Sessions: u.sessions,
		Demonstration: s.cfg.Demo, Continue: continueAt, Verified: func(w http.ResponseWriter, r *http.Request, transaction string, id signin.Identity) error {
			return s.signedIn(u, w, r, transaction, id)
		}})
	return err
}

// signedIn starts the session of a person who has signed in. Only people of the policy folder have one; they are known by issuer
// and subject alone (SMART-185).
func (s *Server) signedIn(u *users, w http.ResponseWriter, r *http.Request, transaction string, id signin.Identity) error {
	event := signInEvent(r, id)
	person, known := u.personOf(s.cfg.Policy, id.User)
	if !known {
		event.Refused, event.Status = unknownPerson, http.StatusForbidden
		if err := s.Grants.Ledger.Note(r.Context(), event); err != nil {
			return err
		}
		return pages.Fail(pages.SignInRefused, errors.New("the person is not in the policy"))
	}
	event.Agent.Subject, event.Agent.Organisation, event.Agent.Role = person.User, person.Organisation, person.Role
	if err := s.Grants.Ledger.Note(r.Context(), event); err != nil {
		return err
	}
	if err := s.endRoles(r, person); err != nil {
		return err
	}
	if err := s.endOfAnother(u, r, transaction, id.User); err != nil {
		return err
	}
	_, before, err := u.sessions.SignIn(w, r, session.Identity{User: id.User, Account: person.User, AuthTime: id.AuthTime, Level: id.Level})
	if err == nil && before != nil {
		err = s.endOnline(r, before)
	}
	if err == nil && person.Kind == policy.KindStaff {
		s.register(u, r, person, id)
	}
	return err
}

// endRoles ends the grants of roles that a person who signs in does not have any more, so that they stay ended if the person gets the
// role again (SMART-208), and those of somebody else who had the name of the person before (SMART-185).
func (s *Server) endRoles(r *http.Request, person policy.Person) error {
	list, err := s.Grants.OfUser(r.Context(), person.User)
	if err != nil {
		return err
	}
	for _, g := range list {
		own := g.SessionUser.Subject == "" || person.SignsInAs(g.SessionUser.Issuer, g.SessionUser.Subject)
		if _, has := person.As(policy.RoleAt{Organisation: g.Organisation, Role: g.Role}); has && own {
			continue
		}
		if err := s.Grants.End(r.Context(), g.ID, g.Event("grant-end", r.Header.Get(referenceHeader), address(r)), "the person does not have the role any more"); err != nil {
			return err
		}
	}
	return nil
}

// endOfAnother ends what the user who was signed in before has begun in the browser, if somebody else signs in: the transactions, but
// for that of the sign-in, and the grants of which no token was issued yet (SMART-160).
func (s *Server) endOfAnother(u *users, r *http.Request, transaction string, now session.User) error {
	before, err := u.sessions.Current(r, now.Kind)
	switch {
	case errors.Is(err, session.ErrNone) && !u.sessions.Had(r, now.Kind):
		return nil // nobody was
	case err != nil && !errors.Is(err, session.ErrNone):
		return err
	case err == nil && before.User == now:
		return nil
	}
	if err := u.authorize.EndOthers(r.Context(), u.sessions.KnownBrowser(r), transaction, now.Kind); err != nil || before == nil {
		return err
	}
	return s.endGrants(r, before, "somebody else has signed in", func(g *grants.Listed) bool { return g.LastUsed.IsZero() })
}

// personOf returns the person who is an identity: of its kind, by issuer and subject alone (SMART-185). Where people of a kind sign in at
// several issuers, nobody is known whose issuer the policy does not name.
func (u *users) personOf(f *policy.Folder, who session.User) (policy.Person, bool) {
	several := len(u.upstream.Names(who.Kind)) > 1
	for _, p := range f.People {
		if sessionKind(p.Kind) == who.Kind && p.SignsInAs(who.Issuer, who.Subject) && (p.Issuer != "" || !several) {
			return p, true
		}
	}
	return policy.Person{}, false
}

// sessionKind returns the kind of the sessions of a kind of people.
func sessionKind(person string) session.Kind {
	switch person {
	case policy.KindStaff:
		return session.Staff
	case policy.KindAdministrator:
		return session.Administrator
	}
	return session.Patient
}

// endOnline ends the grants that depend on a session that has ended (SMART-169, 348).
func (s *Server) endOnline(r *http.Request, ended *session.Session) error {
	s.count("session", "ended")
	return s.endGrants(r, ended, "the session has ended", func(g *grants.Listed) bool { return g.Online })
}

// endGrants ends some of the grants that were made in a session.
func (s *Server) endGrants(r *http.Request, made *session.Session, why string, which func(*grants.Listed) bool) error {
	list, err := s.Grants.OfUser(r.Context(), made.Account)
	if err != nil {
		return err
	}
	for _, g := range list {
		if g.Session == made.ID && which(&g) {
			if err := s.Grants.End(r.Context(), g.ID, g.Event("grant-end", r.Header.Get(referenceHeader), address(r)), why); err != nil {
				return err
			}
		}
	}
	return nil
}

// subject returns the identifier of a user in ID tokens (SMART-382). The key of digests gives it, which is kept apart from the store, so it
// stays the same in a restored one.
func (s *Server) subject(u session.User) string {
	return s.cfg.Secrets.Of("subject\x00" + u.Issuer + "\x00" + u.Subject)[:32]
}

// allowed returns nil if the user of a grant may have tokens now, and notes the request as activity of the session of a grant that is online
// (SMART-320, 346, 348). It returns grants.ErrInactive if not.
func (s *Server) allowed(ctx context.Context, g *grants.Grant) error {
	if err := s.permits(g); err != nil || !g.Online {
		return err
	}
	_, err := s.users.sessions.Use(ctx, g.SessionUser, g.Session)
	if errors.Is(err, session.ErrNone) {
		return grants.ErrInactive
	}
	return err
}

// stillAllowed is allowed without the activity.
func (s *Server) stillAllowed(ctx context.Context, g *grants.Grant) error {
	if err := s.permits(g); err != nil {
		return err
	}
	return s.sessionLives(ctx, g)
}

// permits returns nil if policy and capabilities permit tokens of a grant, and grants.ErrInactive if not.
func (s *Server) permits(g *grants.Grant) error {
	if g.User == "" {
		return nil
	}
	if s.users == nil {
		return grants.ErrInactive // the server had people when the grant was made
	}
	person, err := resource.PersonOf(s.cfg.Policy, g)
	if err != nil {
		return err
	}
	if person.Kind == policy.KindStaff && !s.cfg.Policy.Signed(g.Organisation) {
		return grants.ErrInactive // it has left the agreement (SMART-204)
	}
	granted, err := scopes.Stored(g.Scopes)
	if err != nil {
		return err
	}
	if s.cfg.Capabilities.Permitted(granted, g.Launched).String() != granted.String() {
		return grants.ErrInactive // a capability was switched off since
	}
	return nil
}

// sessionLives returns grants.ErrInactive for a grant that is online and whose session has ended. It notes no activity.
func (s *Server) sessionLives(ctx context.Context, g *grants.Grant) error {
	if !g.Online {
		return nil
	}
	if s.users == nil {
		return grants.ErrInactive // the server had people when the grant was made
	}
	err := s.users.sessions.Lives(ctx, g.SessionUser, g.Session)
	if errors.Is(err, session.ErrNone) {
		return grants.ErrInactive
	}
	return err
}
