package smart

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/session"
)

// openPath is the path at which a patient opens an app from the page of the apps with access (SMART-120). The form leads to a page of
// ours below it, and that to the app: Chromium applies form-action to redirects, as the package authorize explains (SMART-166).
const openPath = AppsPath + "/open"

// openPrefix begins the State keys of apps that are being opened, and openLife is how long the page leads on.
const (
	openPrefix = "smart/open/"
	openLife   = time.Minute
)

// appPart is the last part of the path that leads to the app.
const appPart = "/app"

// opening is an app that the user of a session opens.
type opening struct {
	Client string    `json:"client"`
	Ends   time.Time `json:"ends"`
}

// errNotOpened: the app is none that this user can open now. One refusal for all.
var errNotOpened = errors.New("the app cannot be opened")

// opens reports whether a patient who uses a client can open it from our pages: it is served, is for patients and has a launch URL.
func (s *Server) opens(c *clients.Client) bool {
	return len(c.LaunchURLs) > 0 && slices.Contains(c.Audience, clients.ForPatients) && s.Clients.Serves(c) && s.cfg.Capabilities.Has(capabilities.LaunchEHR) && s.cfg.Capabilities.Has(capabilities.ContextEHRPatient)
}

// serveOpen answers the form of the button and the two steps after it. Each is for the session of a patient, and a step for the session
// of the form alone.
func (s *Server) serveOpen(w http.ResponseWriter, r *http.Request) error {
	current, err := s.users.sessions.Current(r, session.Patient)
	if errors.Is(err, session.ErrNone) {
		return signInFirst(w, r, AppsPath)
	}
	if err != nil {
		return err
	}
	person, ok := s.cfg.Policy.Person(current.Account)
	if !ok || !person.SignsInAs(current.Issuer, current.Subject) || person.Kind != policy.KindPatient {
		return pages.Fail(pages.Forbidden, errNotOpened)
	}
	step := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, openPath), "/")
	id, toApp := strings.CutSuffix(step, appPart)
	key := openPrefix + s.cfg.Secrets.Of(current.ID+"/"+id)
	switch {
	case step == "" && r.Method == http.MethodPost:
		return s.beginOpening(w, r, current)
	case step == "":
		seeOther(w, AppsPath)
		return nil
	case r.Method != http.MethodGet:
		return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET"}
	case toApp:
		return s.openApp(w, r, person, key)
	}
	raw, err := s.cfg.State.Lookup(r.Context(), key)
	if err != nil {
		return notOpening(err)
	}
	client, err := s.openingOf(r.Context(), person.User, key, raw)
	if err != nil {
		return err
	}
	on := openPath + "/" + id + appPart
	w.Header().Set("Refresh", "0; url="+on)
	return s.users.pages.Render(w, r, http.StatusOK, pages.Back{App: client.Name, Path: on, Opens: true}, pages.Options{Logo: s.Clients.LogoPath(client), App: client.Name})
}

// beginOpening takes the form of the button, and leads to the page that leads to the app.
func (s *Server) beginOpening(w http.ResponseWriter, r *http.Request, current *session.Session) error {
	if err := s.users.pages.Check(r, current.Binding, ""); err != nil {
		return err
	}
	list, err := s.Grants.OfUser(r.Context(), current.Account)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(g grants.Listed) bool { return g.ID == r.PostForm.Get("grant") && g.Purpose == policy.PurposeOwn })
	if i < 0 {
		return pages.Fail(pages.NotFound, errNotOpened)
	}
	client, err := s.client(r.Context(), list[i].Client)
	if err != nil {
		return err
	}
	if !s.opens(client) {
		return pages.Fail(pages.NotFound, errNotOpened)
	}
	id, ends := grants.NewID(), s.cfg.Clock().UTC().Add(openLife)
	v, err := ledger.New(openPrefix+s.cfg.Secrets.Of(current.ID+"/"+id), opening{Client: client.ID, Ends: ends}, ends)
	if err != nil {
		return err
	}
	if err := s.cfg.State.Insert(r.Context(), v.Key, v.Value, ends); err != nil {
		return err
	}
	seeOther(w, openPath+"/"+id)
	return nil
}
