package search

import (
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/search/join"
	"carerecord/store"
)

// A search names one patient by exactly one value of its patient or subject parameter, or by an _id
// or identifier of Patient with one value (consent.md, section 1). The notices S1 (a patient shares nothing)
// and S2 (something is withheld) depend on it: in doubt, the search names nobody.

// name notes the values of a parameter that can name a patient, in a search of one type. def is the
// definition of the parameter, pred its predicate.
func (p *planner) name(param Param, def index.Param, values []string, pred store.Pred) {
	if def.Defined { // a record is named by the standard's parameters alone
		return
	}
	subject := param.Name == "patient" || param.Name == "subject"
	switch {
	case p.query.Type() == "Patient" && (param.Name == "_id" || param.Name == "identifier"):
		if len(values) > 1 || param.Modifier != "" { // a filter like any other
			return
		}
		if param.Name == "_id" {
			p.named = append(p.named, patientByID(values[0]))
		} else if isOneIdentifier(values[0]) {
			p.named = append(p.named, patientByIdentifier(values[0], pred))
		}
	case subject && param.Modifier != "missing":
		for _, value := range values {
			p.named = append(p.named, p.subject(param, def, value))
		}
	}
}

// patientByID names the patient with an id.
func patientByID(value string) consent.NamedPatient {
	if !fhir.ValidID(value) {
		return consent.NamedPatient{}
	}
	return consent.NamedPatient{ID: value}
}

// patientByIdentifier names the patient with an identifier, a token.
func patientByIdentifier(token string, where store.Pred) consent.NamedPatient {
	n := consent.NamedPatient{Where: where}
	if parts, err := index.Split(token, '|'); err == nil && len(parts) == 2 {
		n.System, n.Value = parts[0], parts[1]
	}
	return n
}

// isOneIdentifier reports whether a token can name one patient: a value without a separator, or
// system|value. A system alone or a value with an empty system can match many.
func isOneIdentifier(value string) bool {
	parts, err := index.Split(value, '|')
	return err == nil && (len(parts) == 1 || len(parts) == 2 && parts[0] != "" && parts[1] != "")
}

// subject returns the patient whom a value of a patient or subject parameter names.
func (p *planner) subject(param Param, def index.Param, value string) consent.NamedPatient {
	if param.Modifier == "identifier" {
		if !isNHSNumber(value) {
			return consent.NamedPatient{}
		}
		where, err := p.x.Predicate(index.Query{Type: "Patient", Name: "identifier", Values: []string{value}})
		if err != nil {
			return consent.NamedPatient{}
		}
		return patientByIdentifier(value, where)
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
		return patientByID(ref.ID)
	}
	return consent.NamedPatient{}
}

// isNHSNumber reports whether a token is a value of the NHS number system.
func isNHSNumber(value string) bool {
	number, ok := strings.CutPrefix(value, fhir.NHSNumberSystem+"|")
	return ok && number != ""
}

// nameByChain notes the values of patient.identifier with an NHS number, which name a patient.
func (p *planner) nameByChain(c join.Chain, expr string, values []string) {
	if def, _ := p.x.Param(c.Type, c.Param); def.Defined {
		return
	}
	l, ok := c.Inner.(join.Leaf)
	if !ok || c.Target != "Patient" || c.Param != "patient" && c.Param != "subject" || !strings.HasSuffix(expr, ".identifier") {
		return
	}
	switch {
	case len(values) > 1:
		p.named = append(p.named, consent.NamedPatient{}, consent.NamedPatient{})
	case isNHSNumber(values[0]):
		p.named = append(p.named, patientByIdentifier(values[0], l.Pred))
	}
}
