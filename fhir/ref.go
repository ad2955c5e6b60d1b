// Package fhir defines the common terms of the server: references, resources as bytes, and
// Issue and Error, the errors that clients read.
//
// A resource is never decoded into structs or maps. Parse checks the body of a client once and
// keeps its bytes; fields are read from them by path.
package fhir

import (
	"net/url"
	"path"
	"strings"
	"unicode"
)

// ValidID reports whether s is an id of the standard: 1 to 64 letters, digits, hyphens and dots
// (datatypes.html#id). "." and ".." are not: in a URL they are dot segments, which clients and
// proxies remove (RFC 3986, 5.2.4).
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > 64 || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !letter(c) && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// typeName reports whether s has the form of a resource type's name.
func typeName(s string) bool {
	if len(s) < 2 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for i := range len(s) {
		if !letter(s[i]) {
			return false
		}
	}
	return true
}

// Ref is a literal reference to a resource of this server. Version is empty unless the reference
// has one.
type Ref struct{ Type, ID, Version string }

// String returns Type/ID, with the version if there is one.
func (r Ref) String() string {
	s := r.Type + "/" + r.ID
	if r.Version != "" {
		s += "/_history/" + r.Version
	}
	return s
}

// ParseRef reads a literal reference, relative or absolute under base (the public FHIR base
// without a trailing slash). It returns false for fragments, URNs, addresses of other servers,
// searches, and anything else that does not refer to a resource here (references.html#literal).
//
// All spellings of an address are equal: http or https and the host in any letter case, leading,
// trailing and repeated slashes, dot segments, percent encoding, a trailing fragment or query,
// blanks, "patient" for "Patient". A reference to a Patient that was not recognised because of
// its spelling would be disclosed to readers whom the patient refuses.
func ParseRef(base, s string) (Ref, bool) {
	if ref, ok := parsePath(s); ok {
		return ref, true
	}
	path, ok := local(base, s)
	if !ok {
		return Ref{}, false
	}
	return parsePath(path)
}

// parsePath reads Type/id or Type/id/_history/version.
func parsePath(s string) (Ref, bool) {
	typ, rest, _ := strings.Cut(s, "/")
	id, rest, versioned := strings.Cut(rest, "/")
	r := Ref{Type: typ, ID: id}
	if strings.EqualFold(r.Type, "Patient") {
		r.Type = "Patient"
	}
	if !typeName(r.Type) || !ValidID(r.ID) {
		return Ref{}, false
	}
	if versioned {
		if r.Version, versioned = strings.CutPrefix(rest, "_history/"); !versioned || !ValidID(r.Version) {
			return Ref{}, false
		}
	}
	return r, true
}

// local returns the normalised path of a relative address, or of one below base. It returns
// false for addresses of other servers and for searches.
func local(base, s string) (string, bool) {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	if i := strings.IndexByte(s, '#'); i > 0 {
		s = s[:i]
	}
	if i := strings.IndexByte(s, '?'); i > 0 && strings.Contains(s[:i], "/") { // Patient?… is a search
		s = s[:i]
	}
	if strings.ContainsRune(s, '%') {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return "", false
		}
		s = plain
	}
	if scheme, rest, absolute := strings.Cut(s, "://"); absolute {
		_, own, _ := strings.Cut(base, "://")
		rest = strings.TrimLeft(rest, "/")
		if own == "" || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") ||
			len(rest) <= len(own) || !strings.EqualFold(rest[:len(own)], own) || rest[len(own)] != '/' {
			return "", false
		}
		s = rest[len(own):]
	}
	if s == "" || strings.ContainsAny(s, "?:#") || !strings.Contains(s, "/") {
		return "", false
	}
	return strings.TrimPrefix(path.Clean("/"+s), "/"), true
}
