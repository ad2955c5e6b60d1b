package smart

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"

	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/record"
	"carerecord/interop/smart/resource"
	"carerecord/interop/smart/scopes"
	"carerecord/interop/smart/screen"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
)

// The paths of the pages of a person who has signed in.
const (
	AppsPath    = "/my/apps"
	SignOutPath = "/my/sign-out"
)

func signInEvent(r *http.Request, id signin.Identity) ledger.Event {
	return ledger.Event{Name: "sign-in", Request: r.Header.Get(referenceHeader), Of: "issuer/" + string(id.Kind), Agent: audit.Agent{Kind: "user"}, Client: audit.Client{Address: address(r)}}
}

// sessionParameter is the parameter of a page that says whose it is where people of several kinds are signed in, in one browser.
const sessionParameter = "as"

// sameSession returns the path of a page for the same person as a request.
func sameSession(path string, r *http.Request) string {
	if kind := r.URL.Query().Get(sessionParameter); slices.Contains(sessionKinds(), session.Kind(kind)) {
		return pageOf(path, session.Kind(kind))
	}
	return path
}

// pageOf returns the path of a page for the person of a kind who is signed in.
func pageOf(path string, kind session.Kind) string {
	return path + "?" + sessionParameter + "=" + string(kind)
}

func sessionKinds() []session.Kind {
	return []session.Kind{session.Patient, session.Staff, session.Administrator}
}

// current returns the session of the browser: of the kind that the request names, or of the first kind of which somebody is signed in.
func (u *users) current(r *http.Request) (*session.Session, error) {
	kinds := sessionKinds()
	if kind := session.Kind(r.URL.Query().Get(sessionParameter)); slices.Contains(kinds, kind) {
		kinds = []session.Kind{kind}
	}
	for _, kind := range kinds {
		s, err := u.sessions.Current(r, kind)
		if !errors.Is(err, session.ErrNone) {
			return s, err
		}
	}
	return nil, session.ErrNone
}

// serveApps answers the page of the apps with access, and its forms (SMART-405).
func (s *Server) serveApps(w http.ResponseWriter, r *http.Request) error {
	current, err := s.users.current(r)
	if errors.Is(err, session.ErrNone) {
		return signInFirst(w, r, AppsPath)
	}
	if err != nil {
		return err
	}
	if person, ok := s.cfg.Policy.Person(current.Account); ok && !person.SignsInAs(current.Issuer, current.Subject) {
		return pages.Fail(pages.Ended, errors.New("the policy gives the name of the user to somebody else now"))
	}
	page := pages.Apps{Action: sameSession(AppsPath, r), Staff: current.Kind == session.Staff, Open: openPath, Sessions: sameSession(sessionsPath, r)}
	if r.Method == http.MethodPost {
		if err := s.users.pages.Check(r, current.Binding, ""); err != nil {
			return err
		}
		client, err := s.stop(r, current.Account, r.PostForm.Get("grant"))
		if err != nil {
			return err
		}
		if err := s.noteStopped(r.Context(), current, client); err != nil {
			return err
		}
		seeOther(w, sameSession(AppsPath, r))
		return nil
	}
	if page.Stopped, err = s.takeStopped(r.Context(), current); err != nil {
		return err
	}
	list, err := s.Grants.OfUser(r.Context(), current.Account)
	if err != nil {
		return err
	}
	if page.List, err = s.apps(r, list); err != nil {
		return err
	}
	if r.Method != http.MethodHead && slices.ContainsFunc(list, func(g grants.Listed) bool { return g.Offline }) {
		if err := s.users.reminders.Told(r.Context(), s.remindedEvent(r, current, "apps"), current.Account); err != nil {
			return err
		}
	}
	return s.users.pages.Render(w, r, http.StatusOK, page, pages.Options{Binding: current.Binding, Account: current.Account, SignOut: SignOutPath})
}

// apps describes the decisions of grants.
func (s *Server) apps(r *http.Request, list []grants.Listed) (out []pages.App, err error) {
	var clientOf []string // of each entry
	for _, g := range decisions(list) {
		app, err := s.app(r, &g)
		if err != nil {
			return nil, err
		}
		out, clientOf = append(out, app), append(clientOf, g.Client)
	}
	for i, id := range clientOf {
		out[i].Several = slices.Contains(clientOf[:i], id) || slices.Contains(clientOf[i+1:], id)
	}
	return out, nil
}

// decisions returns grants without those that repeat the decision of another one in the list, which has the time of the last use of
// all of them.
func decisions(list []grants.Listed) (out []grants.Listed) {
	for _, g := range list {
		if !slices.ContainsFunc(list, func(other grants.Listed) bool { return g.Repeats(other.ID) }) {
			out = append(out, g)
		}
	}
	for i := range out {
		for _, g := range list {
			if g.Repeats(out[i].ID) && g.LastUsed.After(out[i].LastUsed) {
				out[i].LastUsed = g.LastUsed
			}
		}
	}
	return out
}

// stop ends a grant of a user, and then all that repeat its decision, and returns the id of the client; nothing for a grant of somebody
// else.
func (s *Server) stop(r *http.Request, user, id string) (client string, err error) {
	list, err := s.Grants.OfUser(r.Context(), user)
	if err != nil {
		return "", err
	}
	// The decision comes first, so that no new grant repeats it. If the rest fails, the page lists what is left.
	slices.SortStableFunc(list, func(a, b grants.Listed) int { return cmp.Compare(len(a.Decision), len(b.Decision)) })
	for _, g := range list {
		if g.ID != id && !g.Repeats(id) {
			continue
		}
		if err := s.Grants.End(r.Context(), g.ID, g.Event("grant-end", r.Header.Get(referenceHeader), address(r)), "stopped by the user"); err != nil {
			return "", err
		}
		client = g.Client
	}
	return client, nil
}

// app describes a grant for the page.
func (s *Server) app(r *http.Request, g *grants.Listed) (pages.App, error) {
	client, err := s.client(r.Context(), g.Client)
	if err != nil {
		return pages.App{}, err
	}
	set, err := scopes.Stored(g.Scopes)
	if err != nil {
		return pages.App{}, err
	}
	groups, writes, _ := screen.Offer(set, s.users.pages.Catalogue())
	app := pages.App{Value: g.ID, Name: client.Name, Publisher: client.Publisher, Since: g.Made, LastUsed: g.LastUsed, Until: g.Ends, Writes: writes}
	app.Logo, app.Opens = s.Clients.LogoPath(client), g.Purpose == policy.PurposeOwn && s.opens(client)
	if g.Online {
		app.Until = time.Time{}
	}
	if app.Person, err = s.personName(r, g, client); err != nil {
		return pages.App{}, err
	}
	app.Groups, app.Offline = groups, g.Offline
	return app, nil
}

// personName returns the name of the patient in context, as the user of the grant sees the record now; "" for none.
func (s *Server) personName(r *http.Request, g *grants.Listed, client *clients.Client) (string, error) {
	person, err := resource.PersonOf(s.cfg.Policy, &g.Grant)
	if err != nil || g.Patient == "" {
		return "", nil
	}
	patient, err := s.users.authorize.Record.Visible(r.Context(), record.User{Person: person, Client: client, Purpose: g.Purpose}, g.Patient)
	return patient.Name, err
}

// serveSignOut ends the sessions of the browser (SMART-169).
func (s *Server) serveSignOut(w http.ResponseWriter, r *http.Request) error {
	current, err := s.users.current(r)
	if errors.Is(err, session.ErrNone) {
		return s.users.pages.Render(w, r, http.StatusOK, pages.SignedOut{}, pages.Options{})
	}
	if err != nil {
		return err
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead { // people of another kind are signed in still
		seeOther(w, sessionsPath)
		return nil
	}
	if err := s.users.pages.Check(r, current.Binding, ""); err != nil {
		return err
	}
	for _, kind := range sessionKinds() {
		ended, err := s.users.sessions.SignOut(w, r, kind)
		if errors.Is(err, session.ErrNone) {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.endOnline(r, ended); err != nil {
			return err
		}
	}
	seeOther(w, SignOutPath)
	return nil
}
