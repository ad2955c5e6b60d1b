package search

import (
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// A search names one patient by exactly one value for its patient or subject parameter, or
// by an _id or identifier of Patient with one value (consent.md, section 1). On this depends
// whether somebody is told that a patient shares nothing (S1), or that something is withheld
// (S2): in doubt, the search names nobody.

// name notes the values of a parameter of a search of one type that can name a patient.
// def is its definition, pred what it asks for.
func (p *planner) name(param Param, def index.Param, values []string, pred store.Pred) {
	if def.Defined { // a record is named by the standard's parameters alone
		return
	}
	subject := param.Name == "patient" || param.Name == "subject"
	switch {
	case p.plan.Type() == "Patient" && (param.Name == "_id" || param.Name == "identifier"):
		if len(values) > 1 || param.Modifier != "" { // a filter like any other
			return
		}
		if param.Name == "_id" {
			p.named = append(p.named, byID(values[0]))
		} else if identifies(values[0]) {
			p.named = append(p.named, consent.NamedPatient{Where: pred})
		}
	case subject && param.Modifier != "missing":
		for _, value := range values {
			p.named = append(p.named, p.subject(param, def, value))
		}
	}
}

// byID names the patient of an id.
func byID(value string) consent.NamedPatient {
	if !fhir.ValidID(value) {
		return consent.NamedPatient{}
	}
	return consent.NamedPatient{ID: value}
}

// identifies reports whether a token asks for the identifier of one patient: a value alone,
// or a value of a system. A system alone has many, and so has a value without a system.
func identifies(value string) bool {
	parts, err := index.Split(value, '|')
	return err == nil && (len(parts) == 1 || len(parts) == 2 && parts[0] != "" && parts[1] != "")
}

// subject is the patient whom a value of a patient or subject parameter names.
func (p *planner) subject(param Param, def index.Param, value string) consent.NamedPatient {
	if param.Modifier == "identifier" {
		if !isNHSNumber(value) {
			return consent.NamedPatient{}
		}
		where, err := p.x.Predicate(index.Query{Type: "Patient", Name: "identifier", Values: []string{value}})
		if err != nil {
			return consent.NamedPatient{}
		}
		return consent.NamedPatient{Where: where}
	}
	value, err := index.Unescape(value)
	if err != nil {
		return consent.NamedPatient{}
	}
	if param.Modifier == "Patient" || param.Modifier == "" && len(def.Targets) == 1 && def.Targets[0] == "Patient" || param.Name == "patient" {
		if fhir.ValidID(value) {
			value = "Patient/" + value
		}
	}
	if ref, ok := fhir.ParseRef(p.x.Base(), value); ok && ref.Type == "Patient" {
		return byID(ref.ID)
	}
	return consent.NamedPatient{}
}

// isNHSNumber reports whether a token is a value of the system of NHS numbers.
func isNHSNumber(value string) bool {
	number, ok := strings.CutPrefix(value, fhir.NHSNumberSystem+"|")
	return ok && number != ""
}

// nameChained notes the values of a chain that can name a patient: patient.identifier
// with an NHS number.
func (p *planner) nameChained(c chain, expr string, values []string) {
	if def, _ := p.x.Param(c.typ, c.param); def.Defined {
		return
	}
	l, ok := c.inner.(leaf)
	if !ok || c.target != "Patient" || c.param != "patient" && c.param != "subject" || !strings.HasSuffix(expr, ".identifier") {
		return
	}
	switch {
	case len(values) > 1:
		p.named = append(p.named, consent.NamedPatient{}, consent.NamedPatient{})
	case isNHSNumber(values[0]):
		p.named = append(p.named, consent.NamedPatient{Where: l.pred})
	}
}
