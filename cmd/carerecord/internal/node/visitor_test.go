package node

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// visitor is a browser that goes through the pages of a node. It keeps what must not be found afterwards.
type visitor struct {
	testing.TB
	node    *Node
	name    string
	cookies map[string]string
	issued  map[string]string // by what it is
	page    string
	status  int
}

// secretValues matches the values that a page or an address may have.
var secretValues = regexp.MustCompile(`cr_[a-z]{2}_[A-Za-z0-9_-]{43}`)

// visit sends a request and follows the redirects within the site. It returns the address outside to which it was sent; "" for none.
func (v *visitor) visit(method, target string, form url.Values) string {
	v.Helper()
	for range 20 {
		q := httptest.NewRequest(method, v.node.cfg.PublicURL+strings.TrimPrefix(target, v.node.cfg.PublicURL), strings.NewReader(form.Encode()))
		if method == http.MethodPost {
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			q.Header.Set("Origin", v.node.cfg.PublicURL)
		}
		for name, value := range v.cookies {
			q.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		w := httptest.NewRecorder()
		v.node.Handler().ServeHTTP(w, q)
		for _, c := range w.Result().Cookies() {
			if v.cookies[c.Name] = c.Value; c.Value != "" {
				v.issued["cookie "+c.Name+" of "+v.name] = c.Value
			}
		}
		v.page, v.status = w.Body.String(), w.Code
		location := w.Header().Get("Location")
		if on, back := strings.CutPrefix(w.Header().Get("Refresh"), "0; url="); back {
			location = on
		}
		for _, value := range secretValues.FindAllString(v.page+" "+location, -1) {
			v.issued["value "+value[:12]+" of "+v.name] = value
		}
		if u, err := url.Parse(location); err == nil && len(u.Query().Get("state")) > 20 {
			v.issued["state "+u.Query().Get("state")[:8]+" of "+v.name] = u.Query().Get("state")
		}
		if location == "" {
			return ""
		}
		if !strings.HasPrefix(location, "/") && !strings.HasPrefix(location, v.node.cfg.PublicURL+"/") {
			return location
		}
		method, target, form = http.MethodGet, location, nil
	}
	v.Fatal("too many redirects")
	return ""
}

// sent is a form of a page: where it goes, and all that it offers.
type sent struct {
	action string
	fields url.Values
}

// form returns the form of the page with a field of some name or value; false for none.
func (v *visitor) form(field, value string) (sent, bool) {
	v.Helper()
	root, err := html.Parse(strings.NewReader(v.page))
	if err != nil {
		v.Fatal(err)
	}
	var found []sent
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		switch {
		case n.Data == "form":
			found = append(found, sent{attr["action"], url.Values{}})
		case len(found) > 0 && attr["name"] != "" && slices.Contains([]string{"input", "button"}, n.Data):
			found[len(found)-1].fields.Add(attr["name"], attr["value"])
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	i := slices.IndexFunc(found, func(f sent) bool {
		return f.fields.Has(field) && (value == "" || slices.Contains(f.fields[field], value))
	})
	if i < 0 {
		return sent{}, false
	}
	return found[i], true
}

// authorize goes from a request to the code, as a member of staff. params are added to the request.
func (v *visitor) authorize(client, scope, subject string, params url.Values) string {
	v.Helper()
	challenge := sha256.Sum256([]byte(v.verifier()))
	request := url.Values{"response_type": {"code"}, "client_id": {client}, "redirect_uri": {"https://app.example/back"}, "scope": {scope}, "state": {"the-long-state-of-" + v.name + "-" + scope}, "aud": {v.node.cfg.PublicURL + "/fhir"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}
	for name, values := range params {
		request[name] = values
	}
	v.issued["state of "+scope+" of "+v.name] = url.QueryEscape(request.Get("state"))
	away := v.visit("GET", "/oauth/authorize?"+request.Encode(), nil)
	for range 6 {
		if away != "" {
			break
		}
		if f, ok := v.form("person", subject); ok {
			f.fields.Set("person", subject)
			away = v.visit("POST", f.action, f.fields)
		} else if f, ok := v.form("kind", "staff"); ok {
			f.fields.Set("kind", "staff")
			away = v.visit("POST", f.action, f.fields)
		} else if f, ok := v.form("decision", "allow"); ok {
			f.fields.Set("decision", "allow")
			f.fields.Set("offline", "yes")
			away = v.visit("POST", f.action, f.fields)
		} else {
			v.Fatalf("no form to answer: %d %.3000s", v.status, v.page)
		}
	}
	u, err := url.Parse(away)
	if err != nil || u.Query().Get("code") == "" {
		v.Fatalf("%s was sent to %q", v.name, away)
	}
	v.issued["code of "+v.name+" "+scope] = u.Query().Get("code")
	return u.Query().Get("code")
}

// verifier is the code verifier of all requests of the visitor.
func (v *visitor) verifier() string {
	text := "verifier-of-" + v.name + strings.Repeat("-0123456789", 5)
	v.issued["verifier of "+v.name] = text
	return text
}
