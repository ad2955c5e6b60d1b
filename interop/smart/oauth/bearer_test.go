package oauth_test

import (
	"net/http"
	"testing"

	"carerecord/interop/smart/oauth"
)

// TestBearer: where every endpoint that takes an access token finds it (SMART-410).
func TestBearer(t *testing.T) {
	for name, c := range map[string]struct {
		values []string
		want   string // empty: none
	}{
		"a token":                   {[]string{"Bearer abc"}, "abc"},
		"the scheme in small":       {[]string{"bearer abc"}, "abc"},
		"none":                      {nil, ""},
		"two headers":               {[]string{"Bearer abc", "Bearer abc"}, ""},
		"another scheme":            {[]string{"Basic abc"}, ""},
		"no token after the scheme": {[]string{"Bearer "}, ""},
		"no scheme":                 {[]string{"abc"}, ""},
	} {
		token, ok := oauth.Bearer(http.Header{"Authorization": c.values})
		if token != c.want || ok != (c.want != "") {
			t.Errorf("SMART-410: %s: got %q, %v", name, token, ok)
		}
	}
}
