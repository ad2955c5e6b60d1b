package rest

import (
	"slices"
	"strings"

	"carerecord/consent"
	"carerecord/fhir/search"
)

// mayList reports whether the scopes permit to search a type without naming its resources (SMART-256).
func mayList(p consent.Principal, typ string) bool { return p.May(typ, "s") && !p.NeedsName(typ) }

// needNames refuses a search that lists or joins a type whose resources the requester must name (SMART-256). It depends on
// the token and the request alone.
func (s *Server) needNames(p consent.Principal, q *search.Query) error {
	for _, t := range q.Types {
		if !slices.ContainsFunc(q.Used, names) {
			if err := s.cfg.Guard.CheckNamed(p, t.Type); err != nil {
				return err
			}
		}
	}
	for _, typ := range q.Joined {
		if err := s.cfg.Guard.CheckNamed(p, typ); err != nil {
			return err
		}
	}
	return nil
}

// names reports whether a parameter names single resources: _id, or an identifier with its value.
func names(p search.Param) bool {
	if p.Modifier != "" || p.Name != "_id" && p.Name != "identifier" {
		return false
	}
	return !slices.ContainsFunc(strings.Split(p.Value, ","), func(value string) bool { return strings.HasSuffix(value, "|") })
}
