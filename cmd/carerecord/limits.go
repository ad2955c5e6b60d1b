package main

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

// limits are the settings of LIM-001 that can be changed.
type limits struct {
	rest     rest.Limits
	search   search.Limits
	pageLife time.Duration
}

func defaultLimits() limits {
	return limits{rest: rest.DefaultLimits(), search: search.DefaultLimits(), pageLife: time.Hour}
}

// fields are the limits by the names that --limit knows.
func (l *limits) fields() map[string]any {
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

// zeroes are the limits that may be 0: none, or for conditional-delete single.
var zeroes = []string{"conditional-delete", "requests", "client-requests", "client-rate", "unidentified-rate"}

// set changes limits by their names and tells every mistake.
func (l *limits) set(values map[string]string) error {
	fields := l.fields()
	var all []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		field, known := fields[name]
		if !known {
			all = append(all, fmt.Errorf("--limit has no %q: it has %s", name, strings.Join(slices.Sorted(maps.Keys(fields)), ", ")))
			continue
		}
		if err := setLimit(field, values[name], slices.Contains(zeroes, name)); err != nil {
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
			return fmt.Errorf("%q is no duration, as 10s or 1h", value)
		}
		*field = d
	case *int:
		n, err := strconv.Atoi(value)
		if err != nil || n < least {
			return fmt.Errorf("%q is no whole number from %d on", value, least)
		}
		*field = n
	case *int64:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of bytes", value)
		}
		*field = n
	}
	return nil
}

// show logs the limits in force.
func (l *limits) show(log *slog.Logger) {
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
