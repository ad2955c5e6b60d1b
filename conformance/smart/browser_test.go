package smart

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// browser is one browser: it keeps cookies, follows redirects within the site, and reads pages.
type browser struct {
	w       *world
	cookies map[string]string
	origin  string // that its posts name
	stay    bool   // on the page that leads back to an app
	page    answer
	at      string   // path of the page
	visited []string // paths of the redirects that led to it, and its own
}

func (w *world) browser() *browser {
	return &browser{w: w, cookies: map[string]string{}, origin: site}
}

// open opens an address and follows redirects. It returns the address to which the site sent the browser away, or "".
func (b *browser) open(address string) string { return b.follow(b.w.request("GET", address, "")) }

// follow sends a request, and follows the redirects of its answer within the site.
func (b *browser) follow(r *http.Request) string {
	b.w.Helper()
	b.visited = nil
	for range 20 {
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		b.at, b.visited = r.URL.Path, append(b.visited, r.URL.Path)
		rec := b.w.do(r)
		for _, c := range rec.Result().Cookies() {
			if b.cookies[c.Name] = c.Value; c.MaxAge < 0 || c.Value == "" {
				delete(b.cookies, c.Name)
			}
		}
		location := rec.Header().Get("Location")
		b.page = read(rec)
		if on, ok := strings.CutPrefix(rec.Header().Get("Refresh"), "0; url="); ok && !b.stay {
			r = b.w.request("GET", site+on, "") // the page that leads back to the app
			continue
		}
		if location == "" {
			return ""
		}
		if b.page.code != http.StatusSeeOther {
			b.w.Errorf("SMART-092, T17: %s: a redirect with %d, want 303", r.URL.Path, b.page.code)
		}
		if strings.HasPrefix(location, "/") {
			location = site + location
		}
		if !strings.HasPrefix(location, site+"/") {
			return location
		}
		r = b.w.request("GET", location, "")
	}
	b.w.Fatal("too many redirects")
	return ""
}

// form is a form of a page.
type form struct {
	action string
	fields url.Values          // hidden fields
	offers map[string][]string // values of check boxes, radio buttons and buttons, by name
}

// forms returns the forms of the page, by the last part of their paths.
func (b *browser) forms() map[string]form {
	b.w.Helper()
	root, err := html.Parse(strings.NewReader(b.page.text))
	b.w.must(err)
	out := map[string]form{}
	var walk func(*html.Node, *form)
	walk = func(n *html.Node, in *form) {
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		switch {
		case n.Type == html.ElementNode && n.Data == "form":
			f := form{action: attr["action"], fields: url.Values{}, offers: map[string][]string{}}
			for c := n.FirstChild; c != nil; c = c.NextSibling {
				walk(c, &f)
			}
			out[f.action[strings.LastIndex(f.action, "/")+1:]] = f
			return
		case n.Type == html.ElementNode && in != nil && (n.Data == "input" || n.Data == "button") && attr["name"] != "":
			if attr["type"] == "hidden" {
				in.fields.Add(attr["name"], attr["value"])
			} else {
				in.offers[attr["name"]] = append(in.offers[attr["name"]], attr["value"])
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, in)
		}
	}
	walk(root, nil)
	return out
}

// submit posts a form of the page with some fields.
func (b *browser) submit(name string, with url.Values) string {
	b.w.Helper()
	f, ok := b.forms()[name]
	if !ok {
		b.w.Fatalf("the page at %s has no form %q: %d %.600s", b.at, name, b.page.code, b.page.text)
	}
	return b.send(f, with)
}

func (b *browser) send(f form, with url.Values) string {
	b.w.Helper()
	body := url.Values{}
	for _, values := range []url.Values{f.fields, with} {
		for k, v := range values {
			body[k] = v
		}
	}
	target := f.action
	if strings.HasPrefix(target, "/") {
		target = site + target
	}
	r := b.w.request("POST", target, body.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if b.origin != "" {
		r.Header.Set("Origin", b.origin)
	}
	return b.follow(r)
}

// verifier is the code verifier of all journeys.
const verifier = "0123456789-0123456789-0123456789-0123456789-verifier"

func challengeOf(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// request returns the parameters of an authorization request that is right.
func (w *world) authorization(client, scope string) url.Values {
	return url.Values{"response_type": {"code"}, "client_id": {w.ids[client]}, "redirect_uri": {redirect}, "scope": {scope}, "state": {"the state"}, "aud": {base},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"}}
}

// signIn answers the pages of the sample sign-in.
func (b *browser) signIn(user string) string {
	b.w.Helper()
	for name, f := range b.forms() {
		for _, value := range f.offers["person"] {
			person, ok := b.w.policy.Person(user)
			if ok && strings.Contains(value, person.Subject) || value == user {
				return b.submit(name, url.Values{"person": {value}})
			}
		}
	}
	b.w.Fatalf("the page at %s offers no sign-in of %s: %d %.900s", b.at, user, b.page.code, b.page.text)
	return ""
}

// allow ticks everything on the consent page.
func (b *browser) allow() string {
	b.w.Helper()
	f := b.forms()["decision"]
	return b.submit("decision", url.Values{"decision": {"allow"}, "group": f.offers["group"], "category": f.offers["category"], "write": f.offers["write"], "offline": {"yes"}})
}

// sentBack reads the address to which the browser was sent.
func sentBack(t testing.TB, location string) url.Values {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, redirect+"?") {
		t.Fatalf("the browser was sent to %q (%v), want to %s", location, err, redirect)
	}
	return u.Query()
}

// journey goes from the request to the code: sign-in, a patient by number for staff where asked, and everything allowed.
func (b *browser) journey(client, scope, user, number string, change ...func(url.Values)) url.Values {
	b.w.Helper()
	params := b.w.authorization(client, scope)
	for _, f := range change {
		f(params)
	}
	location := b.open(site + "/oauth/authorize?" + params.Encode())
	for range 7 {
		if location != "" {
			break
		}
		forms := b.forms()
		switch {
		case b.page.code != 200:
			b.w.Fatalf("%s: %d %.900s", b.at, b.page.code, b.page.text)
		case has(forms, "decision"):
			location = b.allow()
		case has(forms, "search"):
			location = b.submit("search", url.Values{"number": {number}})
		case has(forms, "patient"):
			location = b.submit("patient", url.Values{"patient": forms["patient"].offers["patient"][:1]})
		case has(forms, "encounter"):
			location = b.submit("encounter", url.Values{"encounter": forms["encounter"].offers["encounter"][:1]})
		case has(forms, "kind"):
			kind := "staff"
			if p, _ := b.w.policy.Person(user); p.Kind == "patient" {
				kind = "patient"
			}
			location = b.submit("kind", url.Values{"kind": {kind}})
		default:
			location = b.signIn(user)
		}
	}
	return sentBack(b.w.TB, location)
}

func has(forms map[string]form, name string) bool { _, ok := forms[name]; return ok }

// exchange exchanges the code of a journey.
func (w *world) exchange(client, code string) answer {
	w.Helper()
	return w.token(client, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
}
