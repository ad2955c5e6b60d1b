package term

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Terms evaluates the code systems and value sets of one request. It is for one goroutine.
type Terms struct {
	// Find returns the body of the CodeSystem or ValueSet of an address: a canonical one,
	// optionally with |version, or that of a resource. It returns false if there is none
	// for the requester. A nil Find finds nothing.
	Find func(ctx context.Context, typ, address string) (body []byte, found bool, err error)
	// Most is the expansion maximum (LIM-001): the greatest number of codes of a set.
	Most int

	systems map[string]*system
	sets    map[string]Set // evaluated sets, never changed
	open    []string       // the value sets that are being evaluated
}

func unsupported(format string, args ...any) *Error {
	return &Error{"not-supported", fmt.Sprintf(format, args...)}
}

// Below returns a code of a system and its descendants, in no particular order.
func (t *Terms) Below(ctx context.Context, url, code string) ([]string, error) {
	return t.line(ctx, url, code, func(s *system) map[string][]string { return s.children })
}

// Above returns a code of a system and its ancestors, in no particular order.
func (t *Terms) Above(ctx context.Context, url, code string) ([]string, error) {
	return t.line(ctx, url, code, func(s *system) map[string][]string { return s.parents })
}

func (t *Terms) line(ctx context.Context, url, code string, next func(*system) map[string][]string) ([]string, error) {
	s, err := t.system(ctx, url, "")
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return nil, unsupported("The hierarchy of the code system %q is not known here.", url)
	case s.flat:
		return nil, unsupported("The nesting of the code system %s does not mean is-a.", url)
	}
	code, known := s.named(code)
	if !known {
		return nil, unsupported("The code system %s has no such code.", url)
	}
	all := closure(code, next(s))
	if len(all) > t.Most {
		return nil, t.tooMany(url + "|" + code)
	}
	return all, nil
}

// mostNested is the greatest depth of value sets within value sets.
const mostNested = 50

// Members evaluates the value set of an address. The Set must not be changed.
func (t *Terms) Members(ctx context.Context, address string) (Set, error) {
	if s, met := t.sets[address]; met {
		return s, nil
	}
	switch {
	case slices.Contains(t.open, address):
		return Set{}, unsupported("The value set %s is composed of itself.", address)
	case len(t.open) == mostNested:
		return Set{}, &Error{"too-costly", fmt.Sprintf("Value sets are composed of others %d deep.", mostNested)}
	}
	t.open = append(t.open, address)
	s, err := t.members(ctx, address)
	if t.open = t.open[:len(t.open)-1]; err != nil {
		return Set{}, err
	}
	if t.sets == nil {
		t.sets = map[string]Set{}
	}
	t.sets[address] = s
	return s, nil
}

func (t *Terms) members(ctx context.Context, address string) (Set, error) {
	c, err := t.compose(ctx, address)
	if err != nil {
		return Set{}, err
	}
	all, err := t.together(ctx, address, c.include)
	if err != nil || len(c.exclude) == 0 {
		return all, err
	}
	out, err := t.together(ctx, address, c.exclude)
	if err == nil {
		err = all.without(out)
	}
	return all, err
}

// compose returns the compose of the value set of an address: a stored one, or else that of the
// standard.
func (t *Terms) compose(ctx context.Context, address string) (*compose, error) {
	body, found, err := t.find(ctx, "ValueSet", address)
	if err != nil {
		return nil, err
	}
	if found {
		return storedSet(address, body)
	}
	url, version, _ := strings.Cut(address, "|")
	if c := standardSet(url, version); c != nil {
		return c, nil
	}
	return nil, unsupported("The value set %s is not known here.", address)
}

func (t *Terms) find(ctx context.Context, typ, address string) ([]byte, bool, error) {
	if t.Find == nil {
		return nil, false, nil
	}
	return t.Find(ctx, typ, address)
}

// together evaluates clauses and returns the union.
func (t *Terms) together(ctx context.Context, address string, list []clause) (Set, error) {
	all := emptySet()
	for _, c := range list {
		part, err := t.clause(ctx, c)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return Set{}, err
		}
		if all.union(part); all.size() > t.Most {
			return Set{}, t.tooMany(address)
		}
	}
	return all, nil
}

func (t *Terms) tooMany(what string) error {
	return &Error{"too-costly", fmt.Sprintf("%s has more than %d codes.", what, t.Most)}
}

// clause evaluates one include or exclude: the codes of its system that satisfy it and that are
// in all of its value sets.
func (t *Terms) clause(ctx context.Context, c clause) (Set, error) {
	var existing []Set
	if c.system != "" {
		part, err := t.ofSystem(ctx, c)
		if err != nil {
			return Set{}, err
		}
		existing = append(existing, part)
	}
	for _, address := range c.sets {
		part, err := t.Members(ctx, address)
		if err != nil {
			return Set{}, err
		}
		existing = append(existing, part)
	}
	if len(existing) == 0 {
		return Set{}, unsupported("A value set includes neither a system nor a value set.")
	}
	out := existing[0]
	for _, o := range existing[1:] {
		out = out.intersect(o)
	}
	return out, nil
}

// ofSystem evaluates the part of a clause about its system. A list of codes is taken as written.
// A whole system whose codes are unknown is a member as a whole.
func (t *Terms) ofSystem(ctx context.Context, c clause) (Set, error) {
	out := emptySet()
	if len(c.codes) > 0 && len(c.filters) == 0 {
		out.add(c.system, c.codes...)
		return out, nil
	}
	s, err := t.system(ctx, c.system, c.version)
	switch {
	case err != nil:
		return Set{}, err
	case s == nil && len(c.filters) > 0:
		return Set{}, unsupported("The codes of %s are not known here, so a value set cannot filter them.", c.system)
	case s == nil && c.version != "":
		return Set{}, unsupported("The version %s of %s is not known here.", c.version, c.system)
	case s == nil:
		out.whole[c.system] = true
		return out, nil
	case len(c.filters) == 0:
		out.add(c.system, s.codes...)
		return out, nil
	}
	if len(c.codes) > 0 {
		out.add(c.system, c.codes...)
	} else {
		out.whole[c.system] = true
	}
	for _, f := range c.filters {
		if err := ctx.Err(); err != nil {
			return Set{}, err
		}
		codes, err := s.filtered(f)
		if err != nil {
			return Set{}, err
		}
		kept := emptySet()
		kept.add(c.system, codes...)
		out = out.intersect(kept)
	}
	return out, nil
}

// system returns a code system whose codes are all known, or nil.
func (t *Terms) system(ctx context.Context, url, version string) (*system, error) {
	name := url
	if version != "" {
		name += "|" + version
	}
	if s, met := t.systems[name]; met {
		return s, nil
	}
	s, err := t.read(ctx, url, version, name)
	if err != nil {
		return nil, err
	}
	if t.systems == nil {
		t.systems = map[string]*system{}
	}
	t.systems[name] = s
	return s, nil
}

// read reads a code system: a stored one with all its codes, or else that of the standard; nil if
// there is none. An incomplete CodeSystem is ignored.
func (t *Terms) read(ctx context.Context, url, version, name string) (*system, error) {
	body, found, err := t.find(ctx, "CodeSystem", name)
	if err != nil {
		return nil, err
	}
	if found && complete(body) {
		return storedSystem(url, body)
	}
	s := standardSystem(url, version)
	if s == nil && found {
		return storedSystem(url, body) // its error says which part is missing
	}
	return s, nil
}
