package oauth_test

import (
	"net/url"
	"testing"

	"carerecord/interop/smart/oauth"
)

// FuzzParseForm: a form has each parameter once, as net/url reads it; what is refused is invalid_request; and a form that is
// written again reads the same (SMART-082, 310).
func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=x+y%26", "a=&b", "a=1&a=2", "a=1&%61=2", "%zz", "a=%ff", "=1&=2", "&&a=1&", "a=1;b=2", "grant_type=refresh_token&refresh_token=cr_rt_x", "a==b&c=%00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		form, err := oauth.ParseForm(text)
		if err != nil {
			if e := oauth.AsError(err); e.Code != oauth.InvalidRequest || e.Status != 400 {
				t.Errorf("%q: got %v, want invalid_request", text, err)
			}
			return
		}
		values, err := url.ParseQuery(text)
		if err != nil {
			return // a semicolon, which net/url does not take
		}
		again, err := oauth.ParseForm(values.Encode())
		if err != nil {
			t.Fatalf("%q, written again: %v", text, err)
		}
		for name, list := range values {
			if len(list) != 1 || form.Get(name) != list[0] || form.Has(name) != (list[0] != "") || again.Get(name) != list[0] {
				t.Errorf("%q: %q: got %q, and again %q; net/url reads %q", text, name, form.Get(name), again.Get(name), list)
			}
		}
	})
}
