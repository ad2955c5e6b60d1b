package smart

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/interop/pages"
	"carerecord/interop/portal"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/resource"
	"carerecord/interop/smart/session"
	"carerecord/store"
)

// ChoicesPath is the path of the choices of a patient, as a page and as JSON (CON-1804).
const ChoicesPath = "/my/choices"

// ownPagesClient is the client of the patient's own pages. It is registered nowhere: no app can have its grant.
const ownPagesClient = "own-pages"

// tokenHeader carries the CSRF value of a request that has no form.
const tokenHeader = "Carerecord-Csrf"

// justNow is for how long the page says that a choice was recorded.
const justNow = time.Minute

// serveChoices answers the page of the choices and its form, and the same as JSON. Who asks is the patient of the session: no token of an
// app reads or changes a choice here.
func (s *Server) serveChoices(w http.ResponseWriter, r *http.Request) error {
	current, err := s.users.sessions.Current(r, session.Patient)
	if errors.Is(err, session.ErrNone) {
		if inJSON(r) {
			return pages.Fail(pages.Forbidden, err)
		}
		return signInFirst(w, r, ChoicesPath)
	}
	if err != nil {
		return err
	}
	reader, err := s.ownReader(r, current)
	var refused refusedReader
	if errors.As(err, &refused) {
		return s.users.pages.Render(w, r, http.StatusForbidden, pages.Refusal{Reason: refused.reason}, pages.Options{Binding: current.Binding, Account: current.Account, SignOut: SignOutPath})
	}
	if err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if !inJSON(r) {
			if answered, err := s.remindFirst(w, r, choicesPage()); answered || err != nil {
				return err
			}
		}
		return s.showChoices(w, r, current, reader)
	case http.MethodPost:
		return s.postChoice(w, r, current, reader)
	case http.MethodPut:
		return s.putChoice(w, r, current, reader)
	}
	return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET, HEAD, POST, PUT"}
}

// refusedReader says why somebody who has signed in has no choices here.
type refusedReader struct{ reason pages.RefusalReason }

func (r refusedReader) Error() string { return "no choices: " + string(r.reason) }

// ownReader is the patient of a session, under the grant of the own pages; refusedReader for somebody who is none.
func (s *Server) ownReader(r *http.Request, current *session.Session) (portal.Reader, error) {
	if s.cfg.Closed != nil {
		if err := s.cfg.Closed(); err != nil {
			return portal.Reader{}, err
		}
	}
	g := grants.Grant{User: current.Account, Client: ownPagesClient, Purpose: policy.PurposeOwn, Scopes: "patient/Consent.crus", SessionUser: current.User, Session: current.ID}
	client := &clients.Client{ID: ownPagesClient, Kind: clients.Symmetric, Purposes: []string{policy.PurposeOwn}, Audience: []string{clients.ForPatients}}
	if person, _ := s.cfg.Policy.Person(current.Account); person.Kind == policy.KindProxy && person.SignsInAs(current.Issuer, current.Subject) {
		return portal.Reader{}, refusedReader{pages.NoAuthority}
	}
	if _, err := resource.PersonOf(s.cfg.Policy, &g); err != nil {
		return portal.Reader{}, pages.Fail(pages.Ended, err)
	}
	p, err := s.Resource.Principal(r.Context(), &grants.Active{Grant: g, Client: client}, address(r))
	if err == nil && (p.Kind != consent.Patient || p.Number == "") {
		err = refusedReader{pages.NoRecord}
	}
	return portal.Reader{Principal: p, Request: r.Header.Get(referenceHeader)}, err
}

// showChoices answers the choices as they are.
func (s *Server) showChoices(w http.ResponseWriter, r *http.Request, current *session.Session, reader portal.Reader) error {
	now, err := s.users.choices.Read(r.Context(), reader)
	if err != nil {
		return refusedChoice(err)
	}
	if inJSON(r) {
		return s.writeChoices(w, current, now)
	}
	page := pages.Choices{Action: ChoicesPath, Refused: now.Refused, Apps: AppsPath}
	for _, one := range now.Statements {
		page.Statements = append(page.Statements, pages.Statement{Organisation: one.Organisation, Since: one.Since, Ended: one.Ended})
		if one.Active && !one.Ends {
			page.Held = append(page.Held, one.Organisation)
		}
		switch at := s.cfg.Clock(); {
		case one.Own && one.Active && at.Sub(one.Since) < justNow && one.Since.After(page.At):
			page.Saved, page.At = pages.Refuse, one.Since
		case !now.Refused && one.Ends && !one.Ended.IsZero() && at.Sub(one.Ended) < justNow && one.Ended.After(page.At):
			page.Saved, page.At = pages.Allow, one.Ended
		}
	}
	return s.users.pages.Render(w, r, http.StatusOK, page, pages.Options{Binding: current.Binding, Account: current.Account, SignOut: SignOutPath})
}

// postChoice takes the form: first the choice, which a page asks to confirm, and then that it is meant.
func (s *Server) postChoice(w http.ResponseWriter, r *http.Request, current *session.Session, reader portal.Reader) error {
	if err := s.users.pages.Check(r, current.Binding, ""); err != nil {
		return err
	}
	choice, err := sharing(r.PostForm.Get("sharing"))
	if err != nil {
		return err
	}
	if r.PostForm.Get("confirm") != "yes" {
		page := pages.Choices{Action: ChoicesPath, Asks: choice}
		return s.users.pages.Render(w, r, http.StatusOK, page, pages.Options{Binding: current.Binding, Account: current.Account, SignOut: SignOutPath})
	}
	if err := s.setChoice(r, reader, choice); err != nil {
		return err
	}
	seeOther(w, ChoicesPath)
	return nil
}

// choiceAttempts is how often a choice is tried that conflicts with another write.
const choiceAttempts = 5

func (s *Server) setChoice(r *http.Request, reader portal.Reader, choice pages.Sharing) (err error) {
	if !s.users.changes.Count(reader.Principal.Subject) {
		s.refusals.Count(address(r))
		return pages.Fail(pages.TooMany, nil)
	}
	for range choiceAttempts {
		if err = s.users.choices.Set(r.Context(), reader, choice == pages.Refuse); !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return refusedChoice(err)
}

// refusedChoice makes the error page of what the guard refuses.
func refusedChoice(err error) error {
	if refused, ok := fhir.AsError(err); ok && refused.Status < http.StatusInternalServerError {
		return pages.Fail(pages.Forbidden, err)
	}
	return err
}

func sharing(value string) (pages.Sharing, error) {
	switch choice := pages.Sharing(value); choice {
	case pages.Refuse, pages.Allow:
		return choice, nil
	}
	return "", pages.Fail(pages.BadRequest, errors.New("the choice about sharing is none"))
}

// choicesJSON is the JSON form of the choices.
type choicesJSON struct {
	Sharing struct {
		Refused    bool            `json:"refused"`
		Statements []statementJSON `json:"statements"`
	} `json:"sharing"`
	CSRF string `json:"csrf"` // of a PUT, in the header Carerecord-Csrf
}

type statementJSON struct {
	Consent    string    `json:"consent"` // reference
	Active     bool      `json:"active"`
	Since      time.Time `json:"since"`
	Ended      time.Time `json:"ended,omitzero"`
	RecordedBy string    `json:"recordedBy,omitempty"` // name of an organisation; absent for the patient
	Ends       bool      `json:"canEnd"`
}

func (s *Server) writeChoices(w http.ResponseWriter, current *session.Session, now portal.Sharing) error {
	out := choicesJSON{CSRF: s.users.pages.Token(current.Binding)}
	out.Sharing.Refused, out.Sharing.Statements = now.Refused, []statementJSON{}
	for _, one := range now.Statements {
		out.Sharing.Statements = append(out.Sharing.Statements, statementJSON{Consent: "Consent/" + one.ID, Active: one.Active, Since: one.Since, Ended: one.Ended, RecordedBy: one.Organisation, Ends: one.Ends})
	}
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body)
	return nil
}

// maxChoice is the largest body of a PUT, in bytes.
const maxChoice = 4 << 10

// putChoice takes {"sharing":"refuse"} or {"sharing":"allow"}, and answers with the choices as they are then.
func (s *Server) putChoice(w http.ResponseWriter, r *http.Request, current *session.Session, reader portal.Reader) error {
	if err := s.users.pages.CheckToken(r, current.Binding, r.Header.Values(tokenHeader)); err != nil {
		return err
	}
	if typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || typ != "application/json" {
		return pages.Fail(pages.BadRequest, errors.New("the body is not application/json"))
	}
	var body struct {
		Sharing string `json:"sharing"`
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxChoice))
	if err == nil {
		err = json.Unmarshal(text, &body, json.RejectUnknownMembers(true))
	}
	if err != nil {
		return pages.Fail(pages.BadRequest, errors.New("the body is not one JSON object with the member sharing"))
	}
	choice, err := sharing(body.Sharing)
	if err != nil {
		return err
	}
	if err := s.setChoice(r, reader, choice); err != nil {
		return err
	}
	return s.showChoices(w, r, current, reader)
}

// inJSON reports whether a request is for the JSON form: what a browser asks for is the page.
func inJSON(r *http.Request) bool {
	return r.Method == http.MethodPut || strings.Contains(r.Header.Get("Accept"), "application/json")
}
