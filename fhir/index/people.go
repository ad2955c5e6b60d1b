package index

import (
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/path"
	"carerecord/fhir/r4"
)

// What embeds resources is about every patient whom these are about or name: a Bundle or
// Parameters by their entries, and every resource by payloads of base64. A reference
// leads to a resource of the same Bundle first, then to one of this server. Where it
// leads to neither, and an embedded Patient has neither an address here nor an NHS
// number, nobody knows who is meant: the ownership is Unsettled.

// people adds to an Ownership whom embedded resources are about.
type people struct {
	x      *Indexer
	o      *Ownership
	values []path.Value
}

// within reads what stands in a resource: references, and the resources that it embeds.
func (p *people) within(v path.Value, at embedder) {
	if v.Type == "Bundle" {
		at.scope = entries(v, at.scope)
		p.addresses(v)
	}
	for object := range v.Objects() {
		p.named(object, at)
	}
	for e := range v.Embedded() {
		inner := at
		if e.Name != "contained" {
			inner.contained, inner.base = containedTypes(e.Value), baseOf(e.Holder.GetText("fullUrl"))
		}
		p.resource(e, inner)
		p.within(e.Value, inner)
	}
}

// addresses are Patients whom entries name without embedding them.
func (p *people) addresses(bundle path.Value) {
	for object := range bundle.Objects() {
		for _, name := range []string{"fullUrl", "url", "location"} {
			if ref, ok := fhir.ParseRef(p.x.base, object.GetText(name)); ok && ref.Type == "Patient" {
				p.o.Patients = append(p.o.Patients, ref.ID)
			}
		}
	}
}

// resource reads whom an embedded resource is about, by the rule of its type.
func (p *people) resource(e path.Embedded, at embedder) {
	rule, known := p.x.rules[e.Type]
	switch {
	case !known:
		p.o.Unsettled = true // no type of R4
	case e.Type == "Patient":
		p.patient(e)
	case rule.rule == Owned && !rule.mentioned && e.Name != "contained": // that has the owners of its container
		pl, err := p.x.standard.plan(e.Type)
		if err != nil {
			p.o.Unsettled = true
			return
		}
		anybody := false
		for _, owner := range pl.owners.ownerPaths {
			p.values = owner.expr.EvalOn(e.Value, e.Value, p.values[:0])
			for _, v := range p.values {
				anybody = p.owner(v, owner.limit, at) || anybody
			}
		}
		if !anybody && !rule.maybe && e.Type != "Binary" { // a Binary is its document's
			p.o.Unsettled = true
		}
	}
}

// patient settles who an embedded Patient is: by its address on this server, else by NHS
// number.
func (p *people) patient(e path.Embedded) {
	addresses := []string{e.Holder.GetText("fullUrl")}
	for _, name := range []string{"request", "response"} {
		if m, ok := e.Holder.Member(name); ok {
			addresses = append(addresses, m.GetText("url"), m.GetText("location"))
		}
	}
	for _, address := range addresses {
		if ref, ok := fhir.ParseRef(p.x.base, address); ok && ref.Type == "Patient" {
			p.o.Patients = append(p.o.Patients, ref.ID)
			return
		}
	}
	settled := false
	for id := range e.All("identifier") {
		settled = p.number(id.GetText("system"), id.GetText("value")) || settled
	}
	if !settled {
		p.o.Unsettled = true
	}
}

// number takes in an NHS number; false for any other identifier.
func (p *people) number(system, value string) bool {
	if !fhir.LooksLikeNHSNumberSystem(system) {
		return false
	}
	digits, ok := fhir.CleanNHSNumber(value)
	if ok {
		p.o.Identifiers = append(p.o.Identifiers, Identifier{nhsSystem, digits})
	}
	return ok
}

// numberOf takes in the NHS number of a Reference.identifier.
func (p *people) numberOf(reference path.Value) bool {
	id, ok := reference.Member("identifier")
	return ok && p.number(id.GetText("system"), id.GetText("value"))
}

// named takes in whom a reference names that stands anywhere but at an owner path.
func (p *people) named(object path.Value, at embedder) {
	literal, typ := object.GetText("reference"), object.GetText("type")
	switch {
	case literal == "":
		if id, ok := object.Member("identifier"); ok && !p.numberOf(object) && typ == "Patient" {
			p.o.Identifiers = append(p.o.Identifiers, Identifier{id.GetText("system"), id.GetText("value")})
		}
		if id, ok := object.Member("valueIdentifier"); ok { // of a parameter or an extension
			p.number(id.GetText("system"), id.GetText("value"))
		}
		return
	case literal[0] == '#':
		return // contained, and read where it stands
	}
	to := p.follow(literal, at)
	if to.typ != "" {
		typ = to.typ
	}
	switch {
	case to.inside:
	case to.local && typ == "Patient":
		p.o.Patients = append(p.o.Patients, to.id)
	case to.local:
	case p.surelyNobody(typ), p.numberOf(object):
	case typ == "" || typ == "Patient":
		p.o.Unsettled = true
	}
}

// surelyNobody reports whether a type is about patients by no rule. Another type that is
// no Patient names somebody only where it is an owner.
func (p *people) surelyNobody(typ string) bool {
	return typ != "" && typ != "Patient" && r4.IsResource(typ)
}

// owner takes in the reference at an owner path of an embedded resource. It is false
// where the reference surely names no patient.
func (p *people) owner(v path.Value, limit string, at embedder) bool {
	literal, typ := v.GetText("reference"), v.GetText("type")
	id, hasIdentifier := v.Member("identifier")
	if literal == "" {
		switch {
		case limit != "" && typ != "" && typ != limit:
			return false
		case !hasIdentifier || id.GetText("value") == "":
			return false
		case !p.numberOf(v):
			p.o.Identifiers = append(p.o.Identifiers, Identifier{id.GetText("system"), id.GetText("value")})
		}
		return true
	}
	to := p.follow(literal, at)
	if to.typ != "" {
		typ = to.typ
	}
	rule, known := p.x.rules[typ]
	switch {
	case limit != "" && typ != "" && typ != limit, known && rule.rule == Unowned:
		return false
	case to.inside: // it is about whom its target is about
	case to.local && typ == "Patient":
		p.o.Patients = append(p.o.Patients, to.id)
	case to.local && rule.rule == Owned:
		p.o.Through = append(p.o.Through, fhir.Ref{Type: typ, ID: to.id})
	case !p.numberOf(v):
		p.o.Unsettled = true
	}
	return true
}

// embedded returns whom the embedded resources of a body are about, those of its payloads
// too. Only what follows its documents anyway takes owners through another resource.
func (x *Indexer) embedded(root path.Value, r *ownerRule, docs []*path.Doc, readable bool) Ownership {
	added := Ownership{Unsettled: !readable}
	p := people{x: x, o: &added}
	if r.mentioned {
		p.within(root, embedder{contained: containedTypes(root)})
	}
	for _, doc := range docs {
		inner := doc.Root()
		at := embedder{contained: containedTypes(inner)}
		p.resource(path.Embedded{Value: inner}, at)
		p.within(inner, at)
	}
	if !r.mentioned && root.Type != "Binary" && len(added.Through) > 0 {
		added.Through, added.Unsettled = nil, true
	}
	return added
}

// join adds whom embedded resources are about to an ownership. A resource about nobody
// is about whom it embeds.
func (o *Ownership) join(added Ownership) {
	o.Unsettled = added.Unsettled
	if len(added.Patients)+len(added.Through)+len(added.Identifiers) > 0 || o.Unsettled {
		o.Rule = Owned
	}
	o.Patients = distinct(append(o.Patients, added.Patients...), strings.Compare)
	o.Through = distinct(append(o.Through, added.Through...), compareRefs)
	o.Identifiers = distinct(append(o.Identifiers, added.Identifiers...), func(a, b Identifier) int {
		return strings.Compare(a.System+"\x00"+a.Value, b.System+"\x00"+b.Value)
	})
	o.Unresolved = o.Rule == Owned && len(o.Patients) == 0
}

func compareRefs(a, b fhir.Ref) int { return strings.Compare(a.String(), b.String()) }

// distinct sorts a list and takes out what stands twice.
func distinct[T comparable](list []T, compare func(a, b T) int) []T {
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}
