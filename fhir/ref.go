// Package fhir is the vocabulary of the record: references, resources as bytes
// with lazily read fields, and Issue, the one error that a client may read.
//
// A resource is never decoded into structs or maps. What a client sent is
// checked once by Parse and kept; fields are read from the bytes by path.
package fhir

import (
	"regexp"
	"strings"
)

var (
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9\-.]{1,64}$`)
	typePattern = regexp.MustCompile(`^[A-Z][A-Za-z]+$`)
)

// ValidID reports whether s is an id of the standard: 1 to 64 of letters,
// digits, hyphen and dot (datatypes.html#id).
func ValidID(s string) bool { return idPattern.MatchString(s) }

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
	if !typePattern.MatchString(r.Type) || !ValidID(r.ID) {
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
