package search

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/term"
	"carerecord/store"
)

// node is a filter that may lead to other resources. It is resolved on a View,
// hop by hop from the far end: what is hidden satisfies no hop (VIS-003).
//
// What resolve returns has to be right for the documents among which it is asked
// alone: those that the rest of the question leaves, where they are few, or all
// of the type, for nil.
type node interface {
	resolve(ctx context.Context, j *joiner, among *few) (store.Pred, error)
	// positive reports whether the node says what must be there, in a way that an
	// index can drive by.
	positive() bool
}

// leaf is a parameter of the type itself.
type leaf struct {
	pred   store.Pred
	drives bool
}

// chain asks for a reference of typ to a target that satisfies inner: a document
// that the View shows, or a resource that the row contains and that goes with it
// (SRCH-135, SMART-262).
type chain struct {
	typ, param, target string
	inner              node
}

// has asks for a document of another type that refers here and satisfies inner.
type has struct {
	typ, param, here string
	inner            node
}

// joiner resolves the nodes of one search.
type joiner struct {
	view  *consent.View
	plan  *Plan
	lim   Limits
	terms *term.Terms
}

func (l leaf) positive() bool { return l.drives }
func (chain) positive() bool  { return true }
func (has) positive() bool    { return true }

func (l leaf) resolve(context.Context, *joiner, *few) (store.Pred, error) { return l.pred, nil }

func (c chain) resolve(ctx context.Context, j *joiner, among *few) (store.Pred, error) {
	if among != nil {
		return j.along(ctx, c, among)
	}
	pred, err := c.inner.resolve(ctx, j, nil)
	if err != nil {
		return nil, err
	}
	found := ids{}
	if err = j.each(ctx, c.target, pred, c.inner.positive(), func(d store.Doc) error {
		found[d.Ref.ID] = true
		return nil
	}); err != nil {
		return nil, err
	}
	points, err := j.view.Index().RefersToOneOf(c.typ, c.param, c.target, found, found.list())
	if err != nil {
		return nil, err
	}
	inside, err := j.view.Index().RefersToContained(c.typ, c.param, c.target, pred)
	return store.Or{points, inside}, err
}

func (h has) resolve(ctx context.Context, j *joiner, among *few) (store.Pred, error) {
	if among != nil {
		return j.referring(ctx, h, among)
	}
	found := ids{}
	pred, err := h.inner.resolve(ctx, j, nil)
	if err != nil {
		return nil, err
	}
	err = j.each(ctx, h.typ, pred, h.inner.positive(), func(d store.Doc) error {
		//law:has-target
		to, err := j.view.Index().ReferredIDs(h.typ, h.param, h.here, d.Keys)
		for _, id := range to {
			found[id] = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return j.view.Index().IDOneOf(h.here, found, found.list())
}

// ids is a set of ids.
type ids map[string]bool

// Has reports membership.
func (s ids) Has(id string) bool { return s[id] }

func (s ids) list() []string {
	out := make([]string, 0, len(s))
	for id := range s {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// each calls f for every visible document of a type that satisfies a predicate, its
// keys alone. positive: an index can drive by it.
func (j *joiner) each(ctx context.Context, typ string, pred store.Pred, positive bool, f func(store.Doc) error) error {
	q := store.Query{Type: typ, Where: pred, KeysOnly: true}
	rows := j.other(ctx, q)
	if !positive {
		rows = j.plan.walk(ctx, j.view, q, j.lim)
	}
	for d, err := range rows {
		if err == nil {
			err = f(d)
		}
		if err != nil {
			return fmt.Errorf("join %s: %w", typ, err)
		}
	}
	return nil
}

// other asks for what is at the other end of a hop.
func (j *joiner) other(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	//law:chain-scan
	return j.view.Scan(ctx, q)
}

// Resolve returns the plan with its chains and _has resolved on a View: it is
// for that View alone.
func (p *Plan) Resolve(ctx context.Context, v *consent.View, lim Limits) (*Plan, error) {
	return p.resolve(ctx, v, lim, false)
}

// resolve is Resolve, where the joins of the one part may be left to a stream.
func (p *Plan) resolve(ctx context.Context, v *consent.View, lim Limits, streams bool) (*Plan, error) {
	if p.joins == nil {
		return p, nil
	}
	out := *p
	out.Types = slices.Clone(p.Types)
	j := &joiner{view: v.WithPermission("s").WithIndexer(p.x), plan: p, lim: lim}
	j.terms = &term.Terms{Find: j.find, Most: lim.ExpansionMaximum}
	if streams {
		f, err := j.flow(ctx, out.Types[0], p.driven, p.joins[0])
		if err != nil {
			return nil, err
		}
		if f.streams() {
			f.own, f.want = true, p.Count+1
			out.stream = f
			return &out, nil
		}
	}
	for i, nodes := range p.joins {
		where := store.And{out.Types[i].Where}
		among, err := j.few(ctx, out.Types[i], p.driven || !p.Named.None())
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			pred, err := n.resolve(ctx, j, among)
			if err != nil {
				return nil, err
			}
			where = append(where, pred)
		}
		out.Types[i].Where = where
	}
	return &out, nil
}

// join reads a chained parameter or _has, for every part of the plan.
func (p *planner) join(param Param) error {
	values, err := p.values(param)
	if err != nil || len(values) == 0 {
		return err
	}
	expr := param.Name
	if param.Modifier != "" {
		expr += ":" + param.Modifier
	}
	for i, part := range p.plan.Types {
		n, err := p.node(part.Type, expr, values, 0)
		if err != nil {
			return err
		}
		p.add(i, n)
		if c, ok := n.(chain); ok && len(p.plan.Types) == 1 {
			p.nameChained(c, expr, values)
		}
	}
	p.plan.filters++
	p.plan.simple, p.plan.positive = false, true
	p.plan.Used = append(p.plan.Used, param)
	return nil
}

// add adds a node to a part of the plan.
func (p *planner) add(part int, n node) {
	if p.plan.joins == nil {
		p.plan.joins = make([][]node, len(p.plan.Types))
	}
	p.plan.joins[part] = append(p.plan.joins[part], n)
}

// node reads one link after the other; depth is how many were read.
func (p *planner) node(typ, expr string, values []string, depth int) (node, error) {
	if depth > p.opt.Limits.ChainDepth {
		return nil, fhir.Fault(400, "too-costly", "A chain has more than %d links.", p.opt.Limits.ChainDepth)
	}
	if rest, ok := strings.CutPrefix(expr, "_has:"); ok {
		return p.reverse(typ, rest, values, depth)
	}
	link, rest, chained := strings.Cut(expr, ".")
	if !chained {
		return p.last(typ, expr, values)
	}
	name, target, typed := strings.Cut(link, ":")
	def, err := p.reference(typ, name)
	if err != nil {
		return nil, err
	}
	target, err = p.targetOf(typ, name, def, rest, target, typed)
	if err != nil {
		return nil, err
	}
	p.crosses(target)
	inner, err := p.node(target, rest, values, depth+1)
	return chain{typ, name, target, inner}, err
}

// unserved says why a parameter does not answer, one that is being indexed among
// them (SRCH-243); nil for one that does.
func (p *planner) unserved(typ, name string) error {
	if err := p.x.Served(typ, name); err != nil {
		return asFault(err, Param{Name: name})
	}
	return nil
}

// reference is a parameter that a link goes by.
func (p *planner) reference(typ, name string) (index.Param, error) {
	def, known := p.x.Param(typ, name)
	if err := p.unserved(typ, name); known && err != nil {
		return def, err
	}
	if !known || def.Kind != index.Reference {
		return def, fhir.Fault(400, "not-supported", "%s has no reference parameter %s to chain by.", typ, name)
	}
	return def, nil
}

// targetOf chooses the type that a link leads to: the one that is written, or
// the only one that has the next parameter (SRCH-131).
func (p *planner) targetOf(typ, name string, def index.Param, rest, target string, typed bool) (string, error) {
	if typed {
		if !slices.Contains(def.Targets, target) {
			return "", fhir.Fault(400, "not-supported", "%s of %s does not lead to %q.", name, typ, target)
		}
		return target, nil
	}
	next := rest[:len(rest)-len(strings.TrimLeft(rest, nameChars))]
	var fit []string
	for _, t := range def.Targets {
		if _, known := p.x.Param(t, next); known || next == "_has" {
			fit = append(fit, t)
		}
	}
	switch len(fit) {
	case 0:
		return "", fhir.Fault(400, "not-supported", "Nothing that %s of %s leads to has a parameter %q.", name, typ, next)
	case 1:
		return fit[0], nil
	}
	return "", fhir.Fault(400, "invalid", "%s of %s leads to several types with %s: write %s:Type, Type one of %s.", name, typ, next, name, strings.Join(fit, ", "))
}

// reverse reads what stands behind _has: (SRCH-140, 142).
func (p *planner) reverse(here, expr string, values []string, depth int) (node, error) {
	parts := strings.SplitN(expr, ":", 3)
	if len(parts) < 3 {
		return nil, fhir.Fault(400, "not-supported", "_has is _has:Type:reference:parameter, not _has:%s.", expr)
	}
	def, known := p.x.Param(parts[0], parts[1])
	if err := p.unserved(parts[0], parts[1]); known && err != nil {
		return nil, err
	}
	if !known || !def.Indexed || def.Kind != index.Reference || !slices.Contains(def.Targets, here) {
		return nil, fhir.Fault(400, "not-supported", "%s of %q is no reference parameter that leads to a %s.", parts[1], parts[0], here)
	}
	p.crosses(parts[0])
	inner, err := p.node(parts[0], parts[2], values, depth+1)
	return has{parts[0], parts[1], here, inner}, err
}

// last reads the parameter at the end of a chain.
func (p *planner) last(typ, expr string, values []string) (node, error) {
	name, modifier, _ := strings.Cut(expr, ":")
	if _, known := p.x.Param(typ, name); !known {
		return nil, fhir.Fault(400, "not-supported", "%s has no search parameter %s.", typ, name)
	}
	if n, err := p.terms(typ, name, modifier, values); n != nil || err != nil {
		return n, err
	}
	pred, err := p.x.Predicate(index.Query{Type: typ, Name: name, Modifier: modifier, Values: values})
	if err != nil {
		return nil, asFault(err, Param{Name: name, Modifier: modifier})
	}
	return leaf{pred, drives(modifier, pred)}, nil
}

// crosses notes a type that a join reads: it needs the letter of a search
// (SMART-279, 280).
func (p *planner) crosses(typ string) {
	if !slices.Contains(p.plan.Joined, typ) {
		p.plan.Joined = append(p.plan.Joined, typ)
	}
}
