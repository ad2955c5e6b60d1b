package consent

import (
	"slices"
	"strings"

	"carerecord/fhir/index"
)

// Within limits scopes to a ceiling: each scope is kept as far as the ceiling covers it (SMART-236, 237). Where the
// ceiling is constrained, its constraint is added; a combination that cannot be written as one scope gives nothing.
// The result is never wider than s, and never wider than the ceiling.
func (s Scopes) Within(ceiling Scopes) Scopes {
	var out Scopes
	for _, ask := range s {
		for _, c := range ceiling {
			if both, ok := ask.within(c); ok {
				out = out.add(both)
			}
		}
	}
	return out
}

// within returns the part of a scope that another one covers; false for nothing.
func (s Scope) within(ceiling Scope) (Scope, bool) {
	if s.Level == ownLevel || ceiling.Level == ownLevel {
		return s, s.Equal(ceiling)
	}
	if ceiling.Level != s.Level || ceiling.Type != "*" && s.Type != "*" && ceiling.Type != s.Type {
		return Scope{}, false
	}
	both := s
	if s.Type == "*" {
		both.Type = ceiling.Type
	}
	both.Permissions = strings.Map(func(c rune) rune {
		if strings.ContainsRune(ceiling.Permissions, c) {
			return c
		}
		return -1
	}, s.Permissions)
	var ok bool
	both.Constraint, ok = narrow(both.Type, s.Constraint, ceiling.Constraint)
	return both, ok && both.Permissions != ""
}

// Covers reports whether the scopes permit everything that others permit: each permission of each of these is one of
// a single scope that is as wide or wider (SMART-344). A constrained scope is covered by the unconstrained one.
func (s Scopes) Covers(others Scopes) bool {
	for _, other := range others {
		if other.Level == ownLevel {
			if !slices.ContainsFunc(s, other.Equal) {
				return false
			}
			continue
		}
		for _, letter := range other.Permissions {
			if !slices.ContainsFunc(s, func(one Scope) bool { return one.covers(other, letter) }) {
				return false
			}
		}
	}
	return true
}

// covers reports whether a scope permits a letter at least where another one does.
func (s Scope) covers(other Scope, letter rune) bool {
	if s.Level != other.Level || s.Type != "*" && s.Type != other.Type || !strings.ContainsRune(s.Permissions, letter) {
		return false
	}
	wide, err := s.Constraint.clauses(other.Type)
	if err != nil {
		return false
	}
	narrow, err := other.Constraint.clauses(other.Type)
	return err == nil && narrow.imply(wide)
}

// narrow returns the constraint of documents that satisfy two constraints; false where no scope can express it, or
// nothing can satisfy it.
func narrow(typ string, a, b Constraint) (Constraint, bool) {
	if a == "" || b == "" {
		return a + b, true
	}
	both, err := a.clauses(typ)
	if err != nil {
		return "", false
	}
	more, err := b.clauses(typ)
	if err != nil {
		return "", false
	}
	for _, c := range more {
		var ok bool
		if both, ok = both.and(typ, c); !ok {
			return "", false
		}
	}
	values := 0
	for _, c := range both {
		values += len(c.values)
	}
	return both.constraint(), len(both) <= maxClauses && values <= maxConstraintValues
}

// and adds a clause. Of a parameter with at most one value, the values that both have are left, and false is
// returned where there are none. Other parameters are repeated, which means that both must hold, unless one clause
// implies the other.
func (all clauses) and(typ string, c clause) (clauses, bool) {
	out := clauses{}
	for _, have := range all {
		switch {
		case have.implies(c):
			c = have
		case c.implies(have):
		case have.param == c.param && singleValued(typ, c.param):
			if c.values = commonValues(have.values, c.values); len(c.values) == 0 {
				return nil, false
			}
		default:
			out = append(out, have)
		}
	}
	return append(out, c), true
}

// imply reports whether each clause of wide follows from one of these.
func (all clauses) imply(wide clauses) bool {
	return !slices.ContainsFunc(wide, func(w clause) bool {
		return !slices.ContainsFunc(all, func(c clause) bool { return c.implies(w) })
	})
}

// implies reports whether every resource that satisfies a clause satisfies another one.
func (c clause) implies(wide clause) bool {
	return c.param == wide.param && !slices.ContainsFunc(c.values, func(value string) bool {
		return !slices.ContainsFunc(wide.values, func(w string) bool { return tokenWithin(value, w) })
	})
}

// tokenWithin reports whether a token value finds only what another one finds.
func tokenWithin(value, wide string) bool {
	system, code, hasSystem := cutToken(value)
	wideSystem, wideCode, wideHasSystem := cutToken(wide)
	switch {
	case value == wide:
		return true
	case !wideHasSystem:
		return hasSystem && code == wideCode
	}
	return wideCode == "" && hasSystem && system == wideSystem && system != ""
}

// cutToken splits a token value at its bar.
func cutToken(value string) (system, code string, hasSystem bool) {
	parts, err := index.Split(value, '|')
	if err != nil || len(parts) != 2 {
		return "", value, false
	}
	return parts[0], parts[1], true
}

// commonValues returns the values that find what a value of each list finds, where a resource has one value.
func commonValues(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			switch {
			case tokenWithin(x, y):
				out = append(out, x)
			case tokenWithin(y, x):
				out = append(out, y)
			default:
				if both, ok := commonValue(x, y); ok {
					out = append(out, both)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// commonValue returns the code of one value in the system of the other, if one is a code and the other a system.
func commonValue(x, y string) (string, bool) {
	system, code, xHas := cutToken(x)
	ySystem, yCode, yHas := cutToken(y)
	switch {
	case !xHas && yHas && yCode == "":
		return ySystem + "|" + code, true
	case xHas && code == "" && !yHas:
		return system + "|" + yCode, true
	}
	return "", false
}
