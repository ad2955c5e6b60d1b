package search

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// LastN plans Observation/$lastn: the newest observations of each code among the matches of a search
// (OPER-040). It has no pages. Errors are *fhir.Error of status 400.
func (s *Service) LastN(path string, params []Param) (PageRequest, error) {
	request := PageRequest{Path: path}
	max, namesPatient, namesCode := 1, false, false
	var filters []Param
	for _, param := range params {
		switch {
		case param.Value == "":
			continue
		case param.Name == PageParam || IsControl(param.Name) && !slices.Contains([]string{"_elements", "_summary", "_format", "_pretty"}, param.Name):
			return request, NotSupported(param, "is not supported for $lastn")
		case param.Name == "max" && param.Modifier == "":
			n, err := strconv.Atoi(param.Value)
			if err != nil || n < 1 {
				return request, fhir.Fault(400, "value", "max must be a whole number above 0, not %q.", param.Value)
			}
			max = n
			continue
		case param.Name == "patient" || param.Name == "subject":
			namesPatient = namesPatient || !strings.Contains(param.Modifier, ".") && param.Modifier != "missing"
		case param.Name == "category" || param.Name == "code" || strings.HasSuffix(param.Name, "-code"):
			namesCode = namesCode || param.Modifier != "missing"
		}
		filters = append(filters, param)
	}
	if !namesPatient || !namesCode {
		return request, fhir.Fault(400, "required", "$lastn needs patient or subject, and category or a code parameter.")
	}
	var err error
	if request.Query, err = New(s.Index, []string{"Observation"}, filters, Options{Strict: true, Limits: s.Limits}); err != nil {
		return request, err
	}
	if request.Query.CountOnly {
		return request, fhir.Fault(400, "not-supported", "_summary=count is not supported for $lastn.")
	}
	request.Query.latest = max
	request.Query.Used = append(request.Query.Used, Param{Name: "max", Value: strconv.Itoa(max)})
	return request, nil
}

// result is an observation and its group.
type result struct {
	ref    store.Ref
	id     store.RowID
	at     string // its date, the sort key; empty for none
	group  string // one of the codings that are joined to its own
	newest string // date of the newest of its group
}

// lastOfEach adds the newest observations of each group to the page, and all that have the same date
// as the last of them. Two codes are one group if an observation among the matches has both.
func (x *execution) lastOfEach(ctx context.Context, page *Page) error {
	var rows []result
	joined := union{}
	for d, err := range x.scan(ctx, nil, false) {
		if err != nil {
			return fmt.Errorf("$lastn: %w", err)
		}
		if len(rows) == x.lim.SortMaximum {
			return fhir.Fault(400, "too-costly", "The search would have to group more than %d observations. Narrow it.", x.lim.SortMaximum)
		}
		at, _ := x.view.Index().SortValue("Observation", "date", d.Keys, true)
		subject, err := x.subjectOf(ctx, d)
		if err != nil {
			return fmt.Errorf("$lastn: %w", err)
		}
		codes := codesOf(d.Body, subject)
		joined.join(codes)
		rows = append(rows, result{ref: d.Ref, id: d.RowID, at: at, group: codes[0]})
	}
	groups := map[string][]result{}
	for _, r := range rows {
		g := joined.root(r.group)
		groups[g] = append(groups[g], r)
	}
	var chosen []result
	for g, list := range groups {
		slices.SortFunc(list, newestFirst)
		n := min(x.latest, len(list))
		for n < len(list) && list[n].at == list[n-1].at {
			n++
		}
		for _, r := range list[:n] {
			r.group, r.newest = g, list[0].at
			chosen = append(chosen, r)
		}
	}
	slices.SortFunc(chosen, func(a, b result) int {
		return cmp.Or(strings.Compare(b.newest, a.newest), strings.Compare(a.group, b.group), newestFirst(a, b))
	})
	for _, r := range chosen {
		d, err := x.view.Get(ctx, r.ref)
		if err != nil {
			return fmt.Errorf("fetch a row of $lastn: %w", err)
		}
		page.Matches = append(page.Matches, d)
	}
	n := len(page.Matches)
	page.Total = &n
	return nil
}

// newestFirst orders by date, those without one last, then in the order of the store.
func newestFirst(a, b result) int { return cmp.Or(strings.Compare(b.at, a.at), a.id.Compare(b.id)) }

// subjectOf returns a name of an observation's subject: its persons where the View joins Patients, else the reference as
// written.
func (x *execution) subjectOf(ctx context.Context, d store.Doc) (string, error) {
	owners := index.Owners(d.Keys)
	if !x.view.Joins() || len(owners) == 0 {
		return gjson.GetBytes(d.Body, "subject.reference").Str, nil
	}
	for i, owner := range owners {
		group, err := x.view.GroupOf(ctx, owner)
		if err != nil {
			return "", err
		}
		owners[i] = group[0]
	}
	slices.Sort(owners)
	return strings.Join(slices.Compact(owners), " "), nil
}

// codesOf returns the names of an observation's code and subject: one for each coding, or one for the
// text if there is none.
func codesOf(body []byte, subject string) []string {
	code := gjson.GetBytes(body, "code")
	of := subject + "\x00"
	var out []string
	for _, c := range code.Get("coding").Array() {
		if c.Get("code").Str != "" {
			out = append(out, of+c.Get("system").Str+"|"+c.Get("code").Str)
		}
	}
	if len(out) == 0 {
		out = append(out, of+"\x00"+strings.ToLower(strings.TrimSpace(code.Get("text").Str)))
	}
	return out
}

// union is a disjoint-set structure over codings; those of one observation are in one set.
type union map[string]string

func (u union) root(s string) string {
	for u[s] != "" && u[s] != s {
		s = u[s]
	}
	return s
}

// join merges the sets of some codings. The least member names the set.
func (u union) join(codes []string) {
	least := u.root(codes[0])
	for _, c := range codes[1:] {
		least = min(least, u.root(c))
	}
	for _, c := range codes {
		u[u.root(c)] = least
		u[c] = least
	}
}
