package suite

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// visitor is a person at a browser without scripts, who signs in as a sample person and permits all that an app asks for.
type visitor struct {
	*testing.T
	site string // of the record
	http *http.Client
	page string // body of the page that is open
	at   *url.URL
}

func visit(t *testing.T, site string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visitor{T: t, site: site, http: &http.Client{Jar: jar, CheckRedirect: stay}}
}

// authorize opens the address of an authorization, and returns the address of another site at which the browser ends.
func (v *visitor) authorize(address, person string) string {
	v.Helper()
	away := v.send("GET", address, nil)
	for range 5 {
		if away != "" {
			return away
		}
		away = v.answer(person)
	}
	v.Fatalf("the pages do not end: %s\n%s", v.at, v.page)
	return ""
}

// The parts of a page.
var (
	mainForm  = regexp.MustCompile(`(?s)<main.*?<form[^>]*action="([^"]+)"(.*?)</form>`)
	leftAsSet = regexp.MustCompile(`name="([^"]+)"(?: type="checkbox")? value="([^"]*)"`)
)

// answer sends the form of the page: it signs in as the person, or permits what is ticked.
func (v *visitor) answer(person string) string {
	v.Helper()
	form := mainForm.FindStringSubmatch(v.page)
	if form == nil {
		v.Fatalf("%s has no form:\n%s", v.at, v.page)
	}
	fields := url.Values{}
	for _, field := range leftAsSet.FindAllStringSubmatch(form[2], -1) {
		if field[1] != "decision" {
			fields.Add(field[1], html.UnescapeString(field[2]))
		}
	}
	if strings.Contains(form[2], `name="decision"`) {
		fields.Set("decision", "allow")
	} else {
		choice := regexp.MustCompile(`type="radio" value="([^"]*)"[^>]*>\s*<label[^>]*><bdi>` + person + `</bdi>`).FindStringSubmatch(form[2])
		if choice == nil {
			v.Fatalf("%s does not offer %q:\n%s", v.at, person, v.page)
		}
		fields.Set("person", choice[1])
	}
	return v.send("POST", html.UnescapeString(form[1]), fields)
}

// send sends a request and follows redirects within the site. It returns the address of another site to which it was sent away, or "".
func (v *visitor) send(method, address string, form url.Values) string {
	v.Helper()
	for range 20 {
		q, err := http.NewRequestWithContext(v.Context(), method, v.resolved(address), strings.NewReader(form.Encode()))
		if err != nil {
			v.Fatal(err)
		}
		if method == "POST" {
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			q.Header.Set("Origin", v.site)
		}
		resp, err := v.http.Do(q)
		if err != nil {
			v.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode >= 400 {
			v.Fatalf("%s: got %d, %v:\n%s", q.URL, resp.StatusCode, err, body)
		}
		v.at, v.page = q.URL, string(body)
		address = resp.Header.Get("Location")
		if address == "" {
			address = strings.TrimPrefix(resp.Header.Get("Refresh"), "0; url=")
		}
		if address == "" {
			return ""
		}
		if address = v.resolved(address); !strings.HasPrefix(address, v.site+"/") {
			return address
		}
		method, form = "GET", nil
	}
	v.Fatal("too many redirects")
	return ""
}

// resolved returns the address to which a link of the page leads.
func (v *visitor) resolved(link string) string {
	v.Helper()
	to, err := url.Parse(link)
	if err != nil {
		v.Fatal(err)
	}
	if v.at != nil {
		to = v.at.ResolveReference(to)
	}
	return to.String()
}
