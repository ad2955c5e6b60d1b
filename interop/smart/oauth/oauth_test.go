package oauth_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"carerecord/interop/smart/oauth"
)

// TestForms: a form is read strictly; every refusal is invalid_request in JSON.
func TestForms(t *testing.T) {
	many := strings.Repeat("a=1&", 60)
	for name, c := range map[string]struct {
		url, typ, body string
		status         int
		want           map[string]string
	}{
		"a form":                                    {body: "a=1&b=x+y%26", want: map[string]string{"a": "1", "b": "x y&"}},
		"an empty value counts as missing":          {body: "a=&b", want: map[string]string{"a": "", "b": ""}},
		"a charset":                                 {typ: "application/x-www-form-urlencoded; charset=UTF-8", body: "a=1", want: map[string]string{"a": "1"}},
		"SMART-310: another type":                   {typ: "application/json", body: `{"a":1}`, status: 400},
		"SMART-310: no type":                        {typ: "-", body: "a=1", status: 400},
		"SMART-310: another charset":                {typ: "application/x-www-form-urlencoded; charset=utf-16", body: "a=1", status: 400},
		"SMART-310: parameters in the URL":          {url: "/?a=1", body: "b=1", status: 400},
		"SMART-082: a repeated parameter":           {body: "a=1&a=1", status: 400},
		"SMART-082: repeated in another encoding":   {body: "a=1&%61=", status: 400},
		"a bad escape":                              {body: "a=%zz", status: 400},
		"text that is not UTF-8":                    {body: "a=%ff", status: 400},
		"SMART-484: more than 50 parameters":        {body: many, status: 400},
		"SMART-484: more than 64 KB":                {body: "a=" + strings.Repeat("x", 65<<10), status: 413},
		"SMART-095: 32 KB":                          {body: "a=" + strings.Repeat("x", 32<<10), want: map[string]string{"a": strings.Repeat("x", 32<<10)}},
		"a parameter without a name has no meaning": {body: "=1&a=2", want: map[string]string{"a": "2"}},
	} {
		url := "/"
		if c.url != "" {
			url = c.url
		}
		r := httptest.NewRequest("POST", url, strings.NewReader(c.body))
		switch c.typ {
		case "":
			r.Header.Set("Content-Type", oauth.FormType)
		case "-":
		default:
			r.Header.Set("Content-Type", c.typ)
		}
		form, err := oauth.ReadForm(r)
		if c.status != 0 {
			if e := oauth.AsError(err); err == nil || e.Status != c.status || e.Code != oauth.InvalidRequest {
				t.Errorf("%s: got %v, want %d invalid_request", name, err, c.status)
			}
			continue
		}
		for k, v := range c.want {
			if err != nil || form.Get(k) != v || form.Has(k) != (v != "") {
				t.Errorf("%s: %s: got %.40q, %v, want %.40q", name, k, form.Get(k), err, v)
			}
		}
	}
	r := httptest.NewRequest("POST", "/?a=url", strings.NewReader("b=body"))
	r.Header.Set("Content-Type", oauth.FormType)
	if form, err := oauth.ReadRequest(r); err != nil || form.Has("a") || form.Get("b") != "body" {
		t.Errorf("SMART-081: got a=%q b=%q, %v, want the parameters of the body alone", form.Get("a"), form.Get("b"), err)
	}
	if form, err := oauth.ReadRequest(httptest.NewRequest("GET", "/?a=url", nil)); err != nil || form.Get("a") != "url" {
		t.Errorf("SMART-080: by GET: got a=%q, %v", form.Get("a"), err)
	}
}

// TestReason: the line of the log about a refusal says why, by the cause or by what the client is told, and never that there is no reason
// (SMART-480, 497).
func TestReason(t *testing.T) {
	for want, refusal := range map[string]*oauth.Error{"why": oauth.Refuse(oauth.InvalidGrant, "No.").Because("why"), "No.": oauth.Refuse(oauth.InvalidGrant, "No.")} {
		var log strings.Builder
		refuse := func(http.ResponseWriter, *http.Request) error { return refusal }
		oauth.Answers{Log: slog.New(slog.NewTextHandler(&log, nil))}.Serve(refuse)(httptest.NewRecorder(), httptest.NewRequest("POST", "/oauth/token", nil))
		if !strings.Contains(log.String(), "reason="+want) || strings.Contains(log.String(), "nil") {
			t.Errorf("SMART-480: got the log %s, want the reason %q", &log, want)
		}
	}
}

// TestErrors: every refusal is JSON that nobody may store, without its cause (SMART-312, 316, 480).
func TestErrors(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	for name, c := range map[string]struct {
		h      oauth.Handler
		status int
		body   string
	}{
		"SMART-316: a refusal": {func(http.ResponseWriter, *http.Request) error {
			return oauth.Refuse("invalid_grant", "No.").Because("code %s", "SECRET")
		}, 400, `{"error":"invalid_grant","error_description":"No.","error_uri":"https://x.example/help"}`},
		"SMART-480: a fault":          {func(http.ResponseWriter, *http.Request) error { return errors.New("SECRET") }, 500, `{"error":"server_error","error_description":"The server failed.","error_uri":"https://x.example/help"}`},
		"SMART-480: a panic":          {func(http.ResponseWriter, *http.Request) error { panic("SECRET") }, 500, `{"error":"server_error","error_description":"The server failed.","error_uri":"https://x.example/help"}`},
		"SMART-413: an unready store": {func(http.ResponseWriter, *http.Request) error { return oauth.Unavailable(errors.New("SECRET")) }, 503, `{"error":"temporarily_unavailable","error_description":"The server cannot answer now. Try again.","error_uri":"https://x.example/help"}`},
	} {
		w := httptest.NewRecorder()
		oauth.Answers{Log: log, Help: "https://x.example/help"}.Serve(c.h)(w, httptest.NewRequest("POST", "/oauth/token", nil))
		if got := w.Body.String(); w.Code != c.status || got != c.body {
			t.Errorf("%s: got %d %s, want %d %s", name, w.Code, got, c.status, c.body)
		}
		h := w.Header()
		if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
			t.Errorf("SMART-312: %s: got the headers %v", name, h)
		}
	}
}
