package index

import (
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/path"
	"carerecord/fhir/r4"
)

// A resource that embeds others is about every patient whom the embedded resources are about
// or refer to. Bundles and Parameters embed resources in their entries, and any resource in
// base64 payloads. A reference is resolved within its Bundle first, then against this server.
// The ownership is Unsettled if a reference resolves to neither, or if an embedded Patient has
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

// addEntryPatients adds the Patients of the entries' addresses: entries of a history or a
// transaction may have an address and no resource.
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
		p.o.Unsettled = true // not a type of R4
	case e.Type == "Patient":
		p.addPatient(e)
	case rule.rule == Owned && !rule.byMention && e.Name != "contained": // a contained resource has the owners of its container
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
		if !anybody && !rule.optional && e.Type != "Binary" { // a Binary has the owners of its document
			p.o.Unsettled = true
		}
	}
}

// addPatient adds an embedded Patient: by its address on this server, or else by NHS number.
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

// addNumber adds the Patient with an NHS number. It returns false for any other identifier.
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

// addReferenceNumber adds the Patient with the NHS number in a Reference.identifier.
func (p *ownerCollector) addReferenceNumber(reference path.Value) bool {
	id, ok := reference.Member("identifier")
	return ok && p.addNumber(id.GetText("system"), id.GetText("value"))
}

// addMention adds the Patient to whom an object refers.
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
		return // contained: walk reads it
	}
	to := p.resolve(literal, at)
	if to.typ != "" {
		typ = to.typ
	}
	switch {
	case to.embedded:
	case to.local && typ == "Patient":
		p.o.Patients = append(p.o.Patients, to.id)
	case to.local, typ != "Patient" && r4.IsResource(typ): // types other than Patient count at owner paths only
	case !p.addReferenceNumber(object):
		p.o.Unsettled = true
	}
}

// addOwner adds the Patient, or the resource with owners, to which a reference at an owner path
// of an embedded resource refers. It returns false if the reference certainly names no patient.
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
	case to.embedded: // walk reads the owners of the target
	case to.local && typ == "Patient":
		p.o.Patients = append(p.o.Patients, to.id)
	case to.local && rule.rule == Owned:
		p.o.InheritFrom = append(p.o.InheritFrom, fhir.Ref{Type: typ, ID: to.id})
	case !p.addReferenceNumber(v):
		p.o.Unsettled = true
	}
	return true
}

// embeddedOwners returns the owners of all resources that a body embeds. docs are its payloads.
// Only Bundle, Parameters and Binary inherit owners from other resources that way; any other type
// becomes Unsettled.
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

// merge adds the owners of embedded resources, also to a resource whose type has no owners.
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

// distinct sorts a list and removes duplicates.
func distinct[T comparable](list []T, compare func(a, b T) int) []T {
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}
