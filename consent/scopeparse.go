package consent

import (
	"fmt"
	"slices"
	"strings"
)

// maxScopes is how many scopes a scope string may have.
const maxScopes = 200

// ParseScopes reads a scope string (SMART-230 to 235). Any part that it does not understand is an
// error: no scope is granted in part. known reports the resource types of the server.
func ParseScopes(text string, known func(string) bool) (Scopes, error) {
	var out Scopes
	if text == "" {
		return nil, nil
	}
	tokens := strings.Split(text, " ")
	if len(tokens) > maxScopes {
		return nil, fmt.Errorf("more than %d scopes", maxScopes)
	}
	for _, token := range tokens {
		s, err := ParseScope(token, known)
		if err != nil {
			return nil, err
		}
		out = out.add(s)
	}
	return out, nil
}

// ParseScope reads one token of a scope string: a resource scope, or one of this server (SMART-231 to 235, 238 to
// 240). The error says what is not understood; it may be shown to the client. A token that is not understood, for
// example because of its constraint, must not be granted in part. known reports the resource types of the server.
func ParseScope(token string, known func(string) bool) (Scope, error) {
	if token == Operations().String() {
		return Operations(), nil
	}
	if i := strings.IndexFunc(token, notInScope); i >= 0 {
		return Scope{}, fmt.Errorf("scope %q has a character that no scope may have", token)
	}
	main, constraint, constrained := strings.Cut(token, "?")
	level, rest, ok := strings.Cut(main, "/")
	if !ok || !slices.Contains([]string{levelPatient, levelUser, levelSystem}, level) {
		return Scope{}, fmt.Errorf("scope %q is not of the form patient|user|system/type.permissions", token)
	}
	typ, suffix, ok := strings.Cut(rest, ".")
	if !ok || typ != "*" && !known(typ) {
		return Scope{}, fmt.Errorf("scope %q names no type of this server", token)
	}
	s := Scope{Level: level, Type: typ, Permissions: suffix}
	if permissions := ofV1(suffix); permissions != "" {
		s.Permissions, s.v1 = permissions, true
	}
	if !inOrder(s.Permissions) {
		return Scope{}, fmt.Errorf("scope %q: the permissions must be some of cruds, in that order", token)
	}
	if !constrained {
		return s, nil
	}
	if s.v1 {
		return Scope{}, fmt.Errorf("scope %q: a scope of version 1 takes no constraint", token)
	}
	var err error
	if s.Constraint, err = parseConstraint(typ, constraint); err != nil {
		return Scope{}, fmt.Errorf("scope %q: %w", token, err)
	}
	return s, nil
}

// notInScope reports the characters that a scope token must not have (RFC 6749, appendix A.4).
func notInScope(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }

// inOrder reports whether permissions are some of cruds in that order, at least one.
func inOrder(permissions string) bool {
	at := 0
	for i := range len(permissions) {
		next := strings.IndexByte(permissionOrder[at:], permissions[i])
		if next < 0 {
			return false
		}
		at += next + 1
	}
	return permissions != ""
}
