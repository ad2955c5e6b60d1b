package consent

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"carerecord/fhir/index"
	"carerecord/fhir/r4"
)

// Constraint is the search parameters of a granular scope (SMART-238), in canonical form: names and values are
// sorted, nothing is repeated, and only what a scope cannot contain is percent-encoded. So two constraints of the
// same parameters are equal strings. The empty Constraint limits nothing.
type Constraint string

// The bounds of a constraint.
const (
	maxClauses          = 10
	maxConstraintValues = 50
)

// constraintParams are the search parameters that a constraint may have, on types that have them as token
// parameters (SMART-239), sorted.
func constraintParams() []string {
	return []string{"category", "class", "clinical-status", "code", "status", "type"}
}

// singleValued reports whether a resource has at most one value of a search parameter: that of an element with one code.
func singleValued(typ, param string) bool {
	p, e := r4.LookupSearchParam(typ, param), r4.ElementAt(typ+"."+param)
	return p != nil && e != nil && e.Max == 1 && len(e.Types) == 1 && (e.Types[0].Name == "code" || e.Types[0].Name == "Coding") &&
		slices.Contains(strings.Split(p.Expression, " | "), e.Path)
}

// ConstraintParams returns the search parameters that a constraint of a type may have, sorted (SMART-239). It
// returns none for an unknown type and for *.
func ConstraintParams(typ string) []string {
	return slices.DeleteFunc(constraintParams(), func(name string) bool {
		p := r4.LookupSearchParam(typ, name)
		return p == nil || p.Type != "token"
	})
}

// ConstraintParams returns the search parameters that limit the scope; none for a scope of whole types.
func (s Scope) ConstraintParams() (names []string) {
	if s.Constraint == "" {
		return nil
	}
	for part := range strings.SplitSeq(string(s.Constraint), "&") {
		name, _, _ := strings.Cut(part, "=")
		names = append(names, name)
	}
	return names
}

// clause is one parameter with its values. A resource satisfies it with one of the values.
type clause struct {
	param  string
	values []string // system|code, code, |code or system|, escaped as in a search (index.Escape), sorted
}

// clauses are a constraint: a resource must satisfy each clause.
type clauses []clause

// parseConstraint reads the part of a scope after its question mark.
func parseConstraint(typ, text string) (Constraint, error) {
	var all clauses
	values := 0
	for part := range strings.SplitSeq(text, "&") {
		c, err := parseClause(typ, part)
		if err != nil {
			return "", err
		}
		all = append(all, c)
		values += len(c.values)
	}
	if len(all) > maxClauses || values > maxConstraintValues {
		return "", fmt.Errorf("a constraint has at most %d parameters and %d values", maxClauses, maxConstraintValues)
	}
	return all.constraint(), nil
}

// parseClause reads name=values.
func parseClause(typ, text string) (clause, error) {
	name, raw, ok := strings.Cut(text, "=")
	name, err := url.PathUnescape(name)
	if err != nil || !ok {
		return clause{}, errors.New("a constraint has the form name=value&name=value, percent-encoded")
	}
	if !slices.Contains(ConstraintParams(typ), name) {
		return clause{}, fmt.Errorf("the parameter %q is not supported in a constraint of %s: those are %s", name, typ, strings.Join(ConstraintParams(typ), ", "))
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil || strings.ContainsFunc(decoded, func(c rune) bool { return c < ' ' || c == '\x7f' || c == '\uFFFD' }) {
		return clause{}, fmt.Errorf("the value of %s is not percent-encoded text", name)
	}
	tokens, err := index.Split(decoded, ',')
	if err != nil {
		return clause{}, err
	}
	out := clause{param: name}
	for _, token := range tokens {
		value, err := canonicalToken(token)
		if err != nil {
			return clause{}, fmt.Errorf("%s: %w", name, err)
		}
		out.values = append(out.values, value)
	}
	slices.Sort(out.values)
	out.values = slices.Compact(out.values)
	return out, nil
}

// canonicalToken returns a token value with the escapes that it needs and no others.
func canonicalToken(token string) (string, error) {
	parts, err := index.Split(token, '|')
	if err != nil {
		return "", err
	}
	for i := range parts {
		text, err := index.Unescape(parts[i])
		if err != nil {
			return "", err
		}
		parts[i] = index.Escape(text)
	}
	value := strings.Join(parts, "|")
	if len(parts) > 2 || value == "" || value == "|" || strings.TrimSpace(value) != value {
		return "", fmt.Errorf("%q is neither code nor system|code", token)
	}
	return value, nil
}

// constraint returns the canonical form.
func (all clauses) constraint() Constraint {
	parts := make([]string, len(all))
	for i, c := range all {
		parts[i] = encodeScope(c.param) + "=" + encodeScope(strings.Join(c.values, ","))
	}
	slices.Sort(parts)
	return Constraint(strings.Join(slices.Compact(parts), "&"))
}

// encodeScope percent-encodes the characters that a value of a constraint must not have.
func encodeScope(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c == '%' || c == '&' || notInScope(rune(c)) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// clauses reads a canonical constraint. The error is for one that ParseScope did not make.
func (c Constraint) clauses(typ string) (clauses, error) {
	if c == "" {
		return nil, nil
	}
	var all clauses
	for part := range strings.SplitSeq(string(c), "&") {
		one, err := parseClause(typ, part)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}
