// Package fhir is the vocabulary of the record: references, resources as bytes
// with lazily read fields, and Issue, the one error that a client may read.
//
// A resource is never decoded into structs or maps. What a client sent is
// checked once by Parse and kept; fields are read from the bytes by path.
package fhir

import "strings"

// ValidID reports whether s is an id of the standard: 1 to 64 of letters,
// digits, hyphen and dot (datatypes.html#id). "." and ".." are none: in a URL they are
// dot segments, which clients and proxies take out (RFC 3986, 5.2.4).
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

// Ref is a literal reference to a resource of this server. Version is empty
// unless the reference names one.
type Ref struct{ Type, ID, Version string }

// String returns Type/ID, with the version where there is one.
func (r Ref) String() string {
	s := r.Type + "/" + r.ID
	if r.Version != "" {
		s += "/_history/" + r.Version
	}
	return s
}

// ParseRef reads a literal reference, relative or absolute under base (the
// public FHIR base without a trailing slash). It is false for fragments, URNs,
// addresses of other servers, searches and whatever else names no resource
// here (references.html#literal).
func ParseRef(base, s string) (Ref, bool) {
	if base != "" && strings.HasPrefix(s, base+"/") {
		s = s[len(base)+1:]
	}
	parts := strings.Split(s, "/")
	if len(parts) != 2 && (len(parts) != 4 || parts[2] != "_history") {
		return Ref{}, false
	}
	r := Ref{Type: parts[0], ID: parts[1]}
	if !typeName(r.Type) || !ValidID(r.ID) {
		return Ref{}, false
	}
	if len(parts) == 4 {
		if !ValidID(parts[3]) {
			return Ref{}, false
		}
		r.Version = parts[3]
	}
	return r, true
}
