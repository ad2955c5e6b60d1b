package smart

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/authorize"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/idp"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/record"
	"carerecord/interop/smart/resource"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
	"carerecord/store"
)

// users are the parts for people: pages, sessions, sign-in and authorization. A server without an issuer has none, and serves
// backend clients alone.
type users struct {
	pages     *pages.Renderer
	sessions  *session.Sessions
	upstream  *signin.Upstream
	authorize *authorize.Endpoint
	launches  *launch.Endpoint
	providers map[string]*idp.Provider // of a demonstration, by path
	answers   *limits.Limit            // of failed sign-ins at an address
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
// (SMART-190 to 208), so only a demonstration has people.
func (s *Server) openUsers() (err error) {
	u := &users{answers: limits.New(s.cfg.Failures, s.cfg.Clock)}
	if u.sessions, err = session.New(session.Config{State: s.cfg.State, Digests: s.cfg.Secrets, Clock: s.cfg.Clock, Secure: strings.HasPrefix(s.cfg.Site, "https:")}); err != nil {
		return err
	}
	u.pages, err = pages.New(pages.Config{Origin: s.cfg.Site, Digests: s.cfg.Secrets, Demonstration: s.cfg.Demo, Browser: u.sessions.Browser,
		Reference: func(r *http.Request) string { return r.Header.Get(referenceHeader) },
		Log: func(r *http.Request, reference string, err error) {
			s.cfg.Log.Info("a page was refused", "request", reference, "path", r.URL.Path, "reason", err)
		}})
	if err != nil {
		return err
	}
	if err := s.openSampleIssuers(u); err != nil {
		return err
	}
	reader := &record.Record{Guard: s.cfg.Guard, Verifier: s.Resource}
	book := &launch.Book{Ledger: s.Grants.Ledger, Secrets: s.cfg.Secrets}
	u.authorize = &authorize.Endpoint{Base: s.cfg.Site + "/fhir", Grants: s.Grants, Lives: grants.DefaultLives(), Launches: book, Sessions: u.sessions, SignIn: u.upstream,
		Pages: u.pages, Policy: s.cfg.Policy, Record: reader, Subject: s.subject, Starts: limits.New(s.cfg.Failures, s.cfg.Clock), Searches: limits.New(s.cfg.Failures, s.cfg.Clock),
		Address: address, StopPath: AppsPath}
	u.launches = &launch.Endpoint{Book: book, Grants: s.Grants, Base: s.cfg.Site + "/fhir", Address: address,
		Resolve: func(ctx context.Context, l *launch.Launch, client *clients.Client) error {
			return resolveLaunch(ctx, s.cfg.Policy, reader, l, client)
		}}
	s.users = u
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
		Demonstration: s.cfg.Demo, Continue: authorize.Continue, Verified: func(w http.ResponseWriter, r *http.Request, _ string, id signin.Identity) error {
			return s.signedIn(u, w, r, id)
		}})
	return err
}

// signedIn starts the session of a person who has signed in. Only people of the policy folder have one; they are known by issuer
// and subject alone (SMART-185).
func (s *Server) signedIn(u *users, w http.ResponseWriter, r *http.Request, id signin.Identity) error {
	event := signInEvent(r, id)
	person, known := personBySubject(s.cfg.Policy, personKind(id.Kind), id.Subject)
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
	_, before, err := u.sessions.SignIn(w, r, session.Identity{User: id.User, Account: person.User, AuthTime: id.AuthTime, Level: id.Level})
	if err == nil && before != nil {
		err = s.endOnline(r, before)
	}
	return err
}

// personKind returns the kind of the people of the policy folder who have sessions of a kind.
func personKind(kind session.Kind) string {
	switch kind {
	case session.Patient:
		return clients.ForPatients
	case session.Administrator:
		return clients.ForAdministrators
	case session.Staff:
	}
	return clients.ForClinicians
}

func personBySubject(f *policy.Folder, kind, subject string) (policy.Person, bool) {
	for _, p := range f.People {
		if p.Kind == kind && p.Subject == subject {
			return p, true
		}
	}
	return policy.Person{}, false
}

// endOnline ends the grants that depend on a session that has ended (SMART-169, 348).
func (s *Server) endOnline(r *http.Request, ended *session.Session) error {
	s.count("session", "ended")
	list, err := s.Grants.OfUser(r.Context(), ended.Account)
	if err != nil {
		return err
	}
	for _, g := range list {
		if g.Online && g.Session == ended.ID {
			if err := s.Grants.End(r.Context(), g.ID, g.Event("grant-end", r.Header.Get(referenceHeader), address(r)), "the session has ended"); err != nil {
				return err
			}
		}
	}
	return nil
}

// subject returns the identifier of a user in ID tokens: random, and the same each time (SMART-382).
func (s *Server) subject(ctx context.Context, u session.User) (string, error) {
	key := "smart/subject/" + s.cfg.Secrets.Of(u.Issuer+"\x00"+u.Subject)
	var b [16]byte
	rand.Read(b[:])
	made := hex.EncodeToString(b[:])
	err := s.cfg.State.Insert(ctx, key, []byte(made), time.Time{})
	if !errors.Is(err, store.ErrExists) {
		return made, err
	}
	known, err := s.cfg.State.Lookup(ctx, key)
	return string(known), err
}

// allowed reports whether the user of a grant may still have tokens (SMART-320, 346, 348).
func (s *Server) allowed(ctx context.Context, g *grants.Grant) error {
	if g.User == "" {
		return nil
	}
	if _, err := resource.PersonOf(s.cfg.Policy, g); err != nil {
		return err
	}
	if !g.Online {
		return nil
	}
	if s.users == nil {
		return grants.ErrInactive
	}
	_, err := s.users.sessions.Use(ctx, g.SessionUser, g.Session)
	if errors.Is(err, session.ErrNone) {
		return grants.ErrInactive
	}
	return err
}

// refreshed names the lead Patient of a patient as it is now (SMART-148).
func (s *Server) refreshed(ctx context.Context, g *grants.Grant) error {
	person, err := resource.PersonOf(s.cfg.Policy, g)
	if err != nil || person.Kind != clients.ForPatients || g.Patient == "" {
		return err
	}
	in, err := s.cfg.Guard.SignIn(ctx, person.Patient, person.BirthDate)
	if err != nil {
		return err
	}
	if in.Patient == "" {
		return grants.ErrInactive
	}
	g.Patient = in.Patient
	return nil
}

// resolveLaunch checks a launch as its user sees the record (SMART-127).
func resolveLaunch(ctx context.Context, f *policy.Folder, reader *record.Record, l *launch.Launch, client *clients.Client) error {
	person, ok := f.Person(l.User)
	if !ok || person.Kind != clients.ForClinicians || person.Organisation != l.Organisation {
		return fmt.Errorf("%w: the user is not one of the launcher's organisation", launch.ErrInconsistent)
	}
	u := record.User{Person: person, Client: client, Purpose: "TREAT"}
	if l.Patient != "" {
		patient, err := reader.Visible(ctx, u, l.Patient)
		if err != nil {
			return err
		}
		if patient.ID == "" {
			return fmt.Errorf("%w: the patient is not visible to the user", launch.ErrInconsistent)
		}
		l.Person = patient.Key
	}
	if l.Encounter == "" {
		return nil
	}
	is, err := reader.EncounterOf(ctx, u, l.Encounter, l.Person)
	if err == nil && (!is || l.Person == "") {
		err = fmt.Errorf("%w: the encounter is not the patient's", launch.ErrInconsistent)
	}
	return err
}
