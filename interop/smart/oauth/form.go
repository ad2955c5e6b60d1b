package oauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// The bounds of a request (SMART-484).
const (
	MaxBody       = 64 << 10 // bytes
	MaxParameters = 50
)

// Form has the parameters of a request, each at most once. An empty value counts as missing.
type Form struct{ values map[string]string }

// Get returns a parameter; "" for a missing one.
func (f Form) Get(name string) string { return f.values[name] }

// Has reports whether a parameter has a value.
func (f Form) Has(name string) bool { return f.values[name] != "" }

// FormType is the media type of forms.
const FormType = "application/x-www-form-urlencoded"

// ReadForm reads the body of a POST. Parameters in the URL, another media type, a repeated
// parameter and text that is not UTF-8 are refused (SMART-310).
func ReadForm(r *http.Request) (Form, error) {
	if r.URL.RawQuery != "" {
		return Form{}, Refuse(InvalidRequest, "Parameters belong in the body, not in the URL.")
	}
	return readBody(r)
}

// readBody reads the body of a POST, whatever the URL has (SMART-081).
func readBody(r *http.Request) (Form, error) {
	typ, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || typ != FormType || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return Form{}, Refuse(InvalidRequest, "The body must be "+FormType+".")
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return Form{}, &Error{Status: http.StatusRequestEntityTooLarge, Code: InvalidRequest, Description: "The body is longer than 64 KB."}
	}
	if err != nil {
		return Form{}, Refuse(InvalidRequest, "The body cannot be read.").Because("read the body: %w", err)
	}
	return ParseForm(string(body))
}

// ReadRequest reads a request that may come by GET, with its parameters in the URL, or by POST, with
// its parameters in the body alone (SMART-080, 081).
func ReadRequest(r *http.Request) (Form, error) {
	if r.Method == http.MethodPost {
		return readBody(r)
	}
	return ParseForm(r.URL.RawQuery)
}

// ParseForm reads a query string or the body of a form. A repeated parameter is refused (RFC 6749,
// section 3.1); a parameter without a name is ignored.
func ParseForm(text string) (Form, error) {
	f := Form{values: map[string]string{}}
	if text == "" {
		return f, nil
	}
	seen := map[string]bool{}
	n := 0
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		if n++; n > MaxParameters {
			return Form{}, Refuse(InvalidRequest, "There are more than 50 parameters.")
		}
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return Form{}, Refuse(InvalidRequest, "A parameter is not encoded as a form is.")
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil || !utf8.ValidString(value) || !utf8.ValidString(name) {
			return Form{}, Refuse(InvalidRequest, "A parameter is not encoded as a form is.")
		}
		if seen[name] {
			return Form{}, Refuse(InvalidRequest, "A parameter is repeated.")
		}
		seen[name] = true
		f.values[name] = value
	}
	return f, nil
}
