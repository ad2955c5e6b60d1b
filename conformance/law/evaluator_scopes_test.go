package law_test

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// scope is one resource scope, as the evaluator reads it.
type scope struct {
	level, typ, permissions string
	constraint              string // after the question mark
}

// parseScopes reads a scope string. v1 forms are written in permissions.
func parseScopes(text string) []scope {
	var out []scope
	for _, token := range strings.Fields(text) {
		token, constraint, _ := strings.Cut(token, "?")
		level, what, _ := strings.Cut(token, "/")
		typ, permissions, _ := strings.Cut(what, ".")
		if v1 := map[string]string{"read": "rs", "write": "cud", "*": "cruds"}[permissions]; v1 != "" {
			permissions = v1
		}
		out = append(out, scope{level, typ, permissions, constraint})
	}
	return out
}

func (s scope) permits(typ, letter string) bool {
	return (s.typ == "*" || s.typ == typ) && strings.Contains(s.permissions, letter)
}

func (s scope) constrained() bool { return s.constraint != "" }

// inScope reports whether the scopes permit a version, by the elements that are shown to the requester. It holds for types on
// which there is no scope, which are refused as a whole.
func (e *evaluator) inScope(v *version) bool {
	if !slices.ContainsFunc(e.requester.scopes, func(s scope) bool { return s.limits() }) {
		return true
	}
	var shown map[string]any
	if err := json.Unmarshal(e.shownBody(v), &shown); err != nil {
		return false
	}
	return e.inScopes(v, shown)
}

// limits reports whether a scope may permit less than policy.
func (s scope) limits() bool { return s.constraint != "" || s.level == "patient" }

// inScopes is inScope for a given body.
func (e *evaluator) inScopes(v *version, body map[string]any) bool {
	some := false
	for _, s := range e.requester.scopes {
		if !e.requester.permitsRow(s, v.Ref.Type) {
			continue
		}
		some = true
		if (s.level != "patient" || !e.requester.staff || e.inContext(v)) && satisfies(body, s.constraint) {
			return true
		}
	}
	return !some
}

// permitsRow reports whether a scope permits rows of a type, by one of the letters.
func (r requester) permitsRow(s scope, typ string) bool {
	permissions := cmp.Or(r.permissions, "rs")
	if r.terminology && isTerminology(typ) {
		permissions = "rs"
	}
	return (s.typ == "*" || s.typ == typ) && strings.ContainsAny(s.permissions, permissions)
}

// ofBothLetters makes the evaluator decide by r or s until the returned function is called.
func (e *evaluator) ofBothLetters() (restore func()) {
	permissions := e.requester.permissions
	e.requester.permissions = ""
	return func() { e.requester.permissions = permissions }
}

// isTerminology reports whether a query may name resources of a type by their canonical URL.
func isTerminology(typ string) bool { return typ == "ValueSet" || typ == "CodeSystem" }

// inContext reports whether a version is about the patient in context of staff and nobody else, or of a type of the
// directory and about nobody (SMART-255).
func (e *evaluator) inContext(v *version) bool {
	person, live := e.livePerson(e.requester.id)
	if !live || e.requester.person != "" && !e.samePerson(e.requester.person, person) || !e.versionVisible(e.newest["Patient/"+e.requester.id]) {
		return false
	}
	owners := e.subjects(v).owners
	return (len(owners) > 0 || inDirectory(v.Ref.Type)) && e.allOf(owners, person) && !slices.ContainsFunc(e.mentions(v), e.isOther)
}

// inDirectory reports whether rows of a type that are about nobody belong to the directory, which patients may read (SMART-256).
func inDirectory(typ string) bool {
	return slices.Contains([]string{"Organization", "Practitioner", "Medication", "ValueSet", "Location", "CodeSystem"}, typ)
}

// satisfies reports whether a resource satisfies a constraint: each parameter with one of its values (SMART-238).
func satisfies(resource map[string]any, constraint string) bool {
	for part := range strings.SplitSeq(constraint, "&") {
		name, values, _ := strings.Cut(part, "=")
		values, _ = url.PathUnescape(values)
		if name != "" && !slices.ContainsFunc(strings.Split(values, ","), func(value string) bool { return hasToken(resource[elementOf[name]], value) }) {
			return false
		}
	}
	return true
}

// elementOf has the elements of the parameters of constraints.
var elementOf = map[string]string{"code": "code", "status": "status", "class": "class"}

// hasToken reports whether an element has a token: code, |code, system| or system|code. Codes of these worlds have one spelling.
func hasToken(element any, token string) bool {
	if text, ok := element.(string); ok {
		return text == token
	}
	system, code, withSystem := strings.Cut(token, "|")
	if !withSystem {
		system, code = "", token
	}
	concept, _ := element.(map[string]any)
	codings := valuesAt(concept, "coding")
	if concept["code"] != nil {
		codings = []any{element}
	}
	return slices.ContainsFunc(codings, func(c any) bool {
		coding, _ := c.(map[string]any)
		of, _ := coding["system"].(string)
		return (code == "" || coding["code"] == code) && (!withSystem || of == system)
	})
}

// noticesOf returns the notices in the answer to a question. Where the scopes permit it for the patient in context alone, no
// other patient is named (SMART-274).
func (e *evaluator) noticesOf(q question) (s1, s2 bool) {
	person := e.namedPerson(q)
	if e.requester.contextOnly(q) {
		if of, live := e.livePerson(e.requester.id); !live || !e.samePerson(of, person) || e.requester.person != "" && !e.samePerson(e.requester.person, of) {
			return false, false
		}
	}
	return e.notices(person)
}

// namesAnother reports whether a question names another patient than the one in context of staff.
func (e *evaluator) namesAnother(q question) bool {
	return e.requester.staff && e.requester.id != "" && q.patientID != "" && q.patientID != e.requester.id && e.requester.contextOnly(q)
}

// contextOnly reports whether the scopes of staff permit a question for the patient in context alone.
func (r requester) contextOnly(q question) bool {
	typ, letter := typeOf(q)
	return r.staff && r.id != "" && !slices.ContainsFunc(r.scopes, func(s scope) bool {
		return s.level != "patient" && (typ == "" && strings.ContainsAny(s.permissions, letter) || strings.ContainsAny(s.permissions, letter) && (s.typ == "*" || s.typ == typ))
	})
}

// typeOf returns the type of a question and the letter that it needs on it; no type for several.
func typeOf(q question) (typ, letter string) {
	path, _, _ := strings.Cut(strings.TrimSuffix(q.path, "/_search"), "?")
	parts := strings.Split(path, "/")
	switch {
	case len(parts) == 1 || strings.HasPrefix(parts[1], "_") || strings.HasPrefix(parts[1], "$"):
		return "", "s"
	case strings.Contains(path, "$lastn"), strings.Contains(path, "$ihe-pix"):
		return parts[1], "s"
	case strings.Contains(path, "$"), len(parts) == 3 && parts[2] != "_history", len(parts) == 5, len(parts) == 4 && parts[3] == "_history":
		return parts[1], "r"
	case len(parts) == 4 && parts[3] == "*":
		return "", "s"
	case len(parts) == 4:
		return parts[3], "s"
	}
	return parts[1], "s"
}
