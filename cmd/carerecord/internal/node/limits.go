package node

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"carerecord/fhir/rest"
	"carerecord/fhir/search"
)

// Limits are the limits of LIM-001 that can be set.
type Limits struct {
	rest     rest.Limits
	search   search.Limits
	pageLife time.Duration
}

// DefaultLimits returns the limits that the requirements name.
func DefaultLimits() Limits {
	return Limits{rest: rest.DefaultLimits(), search: search.DefaultLimits(), pageLife: time.Hour}
}

// fields maps the names that --limit takes to the limits.
func (l *Limits) fields() map[string]any {
	return map[string]any{
		"resource-size": &l.rest.Resource, "bundle-size": &l.rest.Bundle, "form-body": &l.rest.Form,
		"bundle-entries": &l.rest.Entries, "url": &l.rest.URL, "conditional-delete": &l.rest.ConditionalDelete,
		"requests": &l.rest.Requests, "client-requests": &l.rest.ClientRequests, "client-rate": &l.rest.ClientRate, "unidentified-rate": &l.rest.UnidentifiedRate,
		"search-deadline": &l.rest.Deadline, "bundle-deadline": &l.rest.BundleDeadline, "page-life": &l.pageLife,
		"page": &l.search.Page, "page-maximum": &l.search.PageMaximum, "everything-maximum": &l.search.Everything, "count-budget": &l.search.CountBudget, "sort-maximum": &l.search.SortMaximum,
		"scan-maximum": &l.search.ScanMaximum, "or-values": &l.search.ORValues, "includes-per-page": &l.search.IncludesPerPage,
		"expansion-maximum": &l.search.ExpansionMaximum,
		"need-if-match":     &l.rest.NeedIfMatch, "no-delete": &l.rest.NoDelete,
	}
}

// mayBeZero are the limits that may be 0, which is no limit, or for conditional-delete "single".
var mayBeZero = []string{"conditional-delete", "requests", "client-requests", "client-rate", "unidentified-rate"}

// Set changes limits by their names. The error lists every mistake.
func (l *Limits) Set(values map[string]string) error {
	fields := l.fields()
	var all []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		field, known := fields[name]
		if !known {
			all = append(all, fmt.Errorf("--limit has no %q, only %s", name, strings.Join(slices.Sorted(maps.Keys(fields)), ", ")))
			continue
		}
		if err := setLimit(field, values[name], slices.Contains(mayBeZero, name)); err != nil {
			all = append(all, fmt.Errorf("--limit %s: %w", name, err))
		}
	}
	if l.search.Page > l.search.PageMaximum {
		all = append(all, fmt.Errorf("--limit page is %d, more than page-maximum, %d", l.search.Page, l.search.PageMaximum))
	}
	return errors.Join(all...)
}

func setLimit(field any, value string, zero bool) error {
	least := 1
	if zero {
		least = 0
	}
	switch field := field.(type) {
	case *[]string:
		*field = strings.Split(value, "+")
	case *time.Duration:
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is not a duration such as 10s or 1h", value)
		}
		*field = d
	case *int:
		n, err := strconv.Atoi(value)
		if err != nil || n < least {
			return fmt.Errorf("%q is not a whole number of at least %d", value, least)
		}
		*field = n
	case *int64:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of bytes", value)
		}
		*field = n
	}
	return nil
}

// log logs all limits.
func (l *Limits) log(log *slog.Logger) {
	fields := l.fields()
	var args []any
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch field := fields[name].(type) {
		case *int:
			args = append(args, name, *field)
		case *int64:
			args = append(args, name, *field)
		case *time.Duration:
			args = append(args, name, *field)
		case *[]string:
			args = append(args, name, strings.Join(*field, "+"))
		}
	}
	log.Info("limits", args...)
}
