package index

import (
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/path"
	"carerecord/fhir/r4"
)

// A resource that embeds others is about every patient whom these are about or name. A
// Bundle and Parameters embed by their entries, every resource by base64 payloads. A
// reference is resolved within its Bundle first, then against this server. The ownership
// is Unsettled where a reference resolves to neither, and where an embedded Patient has
// neither an address on this server nor an NHS number.

// ownerCollector adds the owners of embedded resources to an Ownership.
type ownerCollector struct {
	x      *Indexer
	o      *Ownership
	values []path.Value
}

// walk reads the references of a resource and of all resources that it embeds.
func (p *ownerCollector) walk(v path.Value, at refContext) {
	if v.Type == "Bundle" {
		at.entries = entriesOf(v, at.entries)
		p.addEntryPatients(v)
	}
	for object := range v.Objects() {
		p.addMention(object, at)
	}
	for e := range v.Embedded() {
		inner := at
		if e.Name != "contained" {
			inner.contained, inner.base = containedTypes(e.Value), baseOf(e.Holder.GetText("fullUrl"))
		}
		p.addResource(e, inner)
		p.walk(e.Value, inner)
	}
}

// addEntryPatients adds the Patients that entries name by an address: those of a history or a
// transaction need not embed them.
func (p *ownerCollector) addEntryPatients(bundle path.Value) {
	for object := range bundle.Objects() {
		for _, name := range []string{"fullUrl", "url", "location"} {
			if ref, ok := fhir.ParseRef(p.x.base, object.GetText(name)); ok && ref.Type == "Patient" {
				p.o.Patients = append(p.o.Patients, ref.ID)
			}
		}
	}
}

// addResource adds the owners of one embedded resource, by the rule of its type.
func (p *ownerCollector) addResource(e path.Embedded, at refContext) {
	rule, known := p.x.rules[e.Type]
	switch {
	case !known:
		p.o.Unsettled = true // no type of R4
	case e.Type == "Patient":
		p.addPatient(e)
	case rule.rule == Owned && !rule.byMention && e.Name != "contained": // that has the owners of its container
		ti, err := p.x.standard.typeIndex(e.Type)
		if err != nil {
			p.o.Unsettled = true
			return
		}
		anybody := false
		for _, owner := range ti.owners.ownerPaths {
			p.values = owner.expr.EvalOn(e.Value, e.Value, p.values[:0])
			for _, v := range p.values {
				anybody = p.addOwner(v, owner.limit, at) || anybody
			}
		}
		if !anybody && !rule.optional && e.Type != "Binary" { // a Binary is its document's
			p.o.Unsettled = true
		}
	}
}

// addPatient adds an embedded Patient: by its address on this server, else by NHS number.
func (p *ownerCollector) addPatient(e path.Embedded) {
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
		settled = p.addNumber(id.GetText("system"), id.GetText("value")) || settled
	}
	if !settled {
		p.o.Unsettled = true
	}
}

// addNumber adds the bearer of an NHS number. It is false for any other identifier.
func (p *ownerCollector) addNumber(system, value string) bool {
	if system == "" {
		return false
	}
	//law:embedded-number
	digits, ok := fhir.NHSNumberOf(system, value)
	if ok {
		p.o.Identifiers = append(p.o.Identifiers, Identifier{fhir.NHSNumberSystem, digits})
	}
	return ok
}

// addReferenceNumber adds the bearer of the NHS number in a Reference.identifier.
func (p *ownerCollector) addReferenceNumber(reference path.Value) bool {
	id, ok := reference.Member("identifier")
	return ok && p.addNumber(id.GetText("system"), id.GetText("value"))
}

// addMention adds the Patient that an object refers to, wherever it stands.
func (p *ownerCollector) addMention(object path.Value, at refContext) {
	literal, typ := object.GetText("reference"), object.GetText("type")
	switch {
	case literal == "":
		if id, ok := object.Member("identifier"); ok && !p.addReferenceNumber(object) && typ == "Patient" {
			p.o.Identifiers = append(p.o.Identifiers, Identifier{id.GetText("system"), id.GetText("value")})
		}
		if id, ok := object.Member("valueIdentifier"); ok { // of a parameter or an extension
			p.addNumber(id.GetText("system"), id.GetText("value"))
		}
		return
	case literal[0] == '#':
		return // contained, and read where it stands
	}
	to := p.resolve(literal, at)
	if to.typ != "" {
		typ = to.typ
	}
	switch {
	case to.embedded:
	case to.local && typ == "Patient":
		p.o.Patients = append(p.o.Patients, to.id)
	case to.local, typ != "Patient" && r4.IsResource(typ): // such a type counts at owner paths only
	case !p.addReferenceNumber(object):
		p.o.Unsettled = true
	}
}

// addOwner adds the Patient, or the resource with owners, that a reference at an owner path
// of an embedded resource leads to. It is false where the reference surely names no
// patient.
func (p *ownerCollector) addOwner(v path.Value, limit string, at refContext) bool {
	literal, typ := v.GetText("reference"), v.GetText("type")
	id, hasIdentifier := v.Member("identifier")
	if literal == "" {
		switch {
		case limit != "" && typ != "" && typ != limit:
			return false
		case !hasIdentifier || id.GetText("value") == "":
			return false
		case !p.addReferenceNumber(v):
			p.o.Identifiers = append(p.o.Identifiers, Identifier{id.GetText("system"), id.GetText("value")})
		}
		return true
	}
	to := p.resolve(literal, at)
	if to.typ != "" {
		typ = to.typ
	}
	rule, known := p.x.rules[typ]
	switch {
	case limit != "" && typ != "" && typ != limit, known && rule.rule == Unowned:
		return false
	case to.embedded: // it is about whom its target is about
	case to.local && typ == "Patient":
		p.o.Patients = append(p.o.Patients, to.id)
	case to.local && rule.rule == Owned:
		p.o.InheritFrom = append(p.o.InheritFrom, fhir.Ref{Type: typ, ID: to.id})
	case !p.addReferenceNumber(v):
		p.o.Unsettled = true
	}
	return true
}

// embeddedOwners returns the owners of all resources that a body embeds. docs are its
// payloads. Only Bundle, Parameters and Binary inherit owners through other resources
// that way; for every other type such a payload is Unsettled.
func (x *Indexer) embeddedOwners(root path.Value, r *ownerRule, docs []*path.Doc, readable bool) Ownership {
	added := Ownership{Unsettled: !readable}
	p := ownerCollector{x: x, o: &added}
	if r.byMention {
		p.walk(root, refContext{contained: containedTypes(root)})
	}
	for _, doc := range docs {
		inner := doc.Root()
		at := refContext{contained: containedTypes(inner)}
		p.addResource(path.Embedded{Value: inner}, at)
		p.walk(inner, at)
	}
	if !r.byMention && root.Type != "Binary" && len(added.InheritFrom) > 0 {
		added.InheritFrom, added.Unsettled = nil, true
	}
	return added
}

// merge adds the owners of embedded resources. A resource of a type without owners gets
// them too.
func (o *Ownership) merge(added Ownership) {
	//law:ownership-join
	o.Unsettled = added.Unsettled
	if len(added.Patients)+len(added.InheritFrom)+len(added.Identifiers) > 0 || o.Unsettled {
		o.Rule = Owned
	}
	o.Patients = distinct(append(o.Patients, added.Patients...), strings.Compare)
	o.InheritFrom = distinct(append(o.InheritFrom, added.InheritFrom...), compareRefs)
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
