package index

import (
	"carerecord/fhir/path"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// tokenKeys adds the keys of a token parameter for one value. If all values of the parameter are
// codes of one system, the keys do not repeat it.
func (b *builder) tokenKeys(p *param, v path.Value) {
	number := p.number
	switch v.Type {
	case "CodeableConcept":
		for c := range v.All("coding") {
			b.codingKeys(number, c.GetText("system"), c.GetText("code"))
			b.displayKey(number, c.GetText("display"))
		}
		b.displayKey(number, v.GetText("text"))
	case "Coding":
		b.codingKeys(number, v.GetText("system"), v.GetText("code"))
		b.displayKey(number, v.GetText("display"))
	case "Identifier":
		b.codingKeys(number, v.GetText("system"), v.GetText("value"))
		b.identifierTypeKeys(number, v)
	case "ContactPoint":
		b.contactKey(number, v.GetText("system"), v.GetText("value"))
	case "code":
		if p.singleSystem != "" {
			b.codeKey(number, p.singleSystem, v.Text())
			return
		}
		b.codingKeys(number, impliedSystem(v.Element, v.Text()), v.Text())
	case "boolean", "id", "uri", "url", "canonical", "oid", "uuid":
		b.add(number, classCode, v.Text())
	case "string", "markdown":
		b.add(number, classFolded, foldCode(v.Text()))
	case "Extension":
		if inner, ok := v.Choice("value"); ok {
			b.tokenKeys(p, inner)
		}
	}
}

// codingKeys adds the keys of a code with or without a system.
func (b *builder) codingKeys(number uint16, system, code string) {
	folded := code
	if !isCaseSensitive(system) {
		folded = foldCode(code)
	}
	if system != "" || code != "" {
		b.add(number, classSystem, system, "\x00", folded)
	}
	b.codeKey(number, system, code)
}

// codeKey adds the key of a code alone.
func (b *builder) codeKey(number uint16, system, code string) {
	switch {
	case code == "":
	case isCaseSensitive(system):
		b.add(number, classCode, code)
	default:
		b.add(number, classFolded, foldCode(code))
	}
}

// displayKey adds the key of a text or display (SRCH-049).
func (b *builder) displayKey(number uint16, text string) {
	if folded := fold(text); folded != "" {
		b.add(number|verifies, classText, folded)
	}
}

// identifierTypeKeys adds the keys of an identifier's type (SRCH-049, 050).
func (b *builder) identifierTypeKeys(number uint16, identifier path.Value) {
	typ, ok := identifier.Get("type")
	if !ok {
		return
	}
	b.displayKey(number, typ.GetText("text"))
	value := identifier.GetText("value")
	for c := range typ.All("coding") {
		if code := c.GetText("code"); code != "" && value != "" {
			b.add(number|verifies, classIdentifierType, c.GetText("system"), "\x00", code, "\x00", foldCode(value))
		}
	}
}

// contactKey adds the key of a telephone number or an address (SRCH-054).
func (b *builder) contactKey(number uint16, system, value string) {
	switch {
	case value == "":
	case system == "email" || system == "url":
		b.add(number, classFolded, foldCode(value))
	default:
		b.add(number, classPhone, phoneDigits(value))
	}
}

// impliedSystem returns the system of a code element (SRCH-043): the one of the bound value set
// that has the code, or the first of the set.
func impliedSystem(e *r4.Element, code string) string {
	if e == nil || e.ValueSet == "" {
		return ""
	}
	set := r4.ValueSetOf(e.ValueSet)
	if set == nil {
		return ""
	}
	if system, ok := set.System(code); ok {
		return system
	}
	if systems := set.Systems(); len(systems) > 0 {
		return systems[0]
	}
	return ""
}

// tokenClasses are the classes of token keys that a parameter can have.
type tokenClasses struct{ code, folded, phone bool }

func tokenClassesOf(yields []path.Yield) tokenClasses {
	var f tokenClasses
	for _, y := range yields {
		switch y.Type {
		case "boolean", "id", "uri", "url", "canonical", "oid", "uuid":
			f.code = true
		case "string", "markdown":
			f.folded = true
		case "ContactPoint":
			f.folded, f.phone = true, true
		case "code":
			f.add(codeClasses(y.Element))
		default:
			f.code, f.folded, f.phone = true, true, y.Type == "Extension" || f.phone
		}
	}
	return f
}

func (f *tokenClasses) add(o tokenClasses) {
	f.code, f.folded, f.phone = f.code || o.code, f.folded || o.folded, f.phone || o.phone
}

func codeClasses(e *r4.Element) (f tokenClasses) {
	set := r4.ValueSetOf(e.ValueSet)
	if set == nil || len(set.Systems()) == 0 {
		return tokenClasses{folded: true}
	}
	for _, system := range set.Systems() {
		if isCaseSensitive(system) {
			f.code = true
		} else {
			f.folded = true
		}
	}
	return f
}

// singleSystemOf returns the system of a parameter whose values are all codes bound to value sets
// of one system, or "".
func singleSystemOf(yields []path.Yield) string {
	only := ""
	for _, y := range yields {
		if y.Type != "code" || y.Element == nil {
			return ""
		}
		set := r4.ValueSetOf(y.Element.ValueSet)
		if set == nil || len(set.Systems()) != 1 || only != "" && set.Systems()[0] != only {
			return ""
		}
		only = set.Systems()[0]
	}
	return only
}

// tokenPred compares codes (SRCH-041).
func tokenPred(p *param, modifier, value string) (store.Pred, error) {
	if modifier == "text" {
		return p.displayPred(value)
	}
	parts, err := splitBars(value)
	if err != nil {
		return nil, err
	}
	switch modifier {
	case "of-type":
		return p.ofTypePred(parts, value)
	case "below":
		return p.mediaTypePred(parts, value)
	}
	switch {
	case len(parts) > 2 || len(parts) == 2 && parts[0] == "" && parts[1] == "":
		return nil, fault("value", "%s: %q is neither code nor system|code.", p.Code, value)
	case len(parts) == 2 && p.onlyTypes("boolean", "uri", "ContactPoint"):
		return nil, fault("value", "%s: its values have no system, so %q matches none.", p.Code, value)
	case p.onlyTypes("boolean") && value != "true" && value != "false":
		return nil, fault("value", "%s: %q is neither true nor false.", p.Code, value)
	case len(parts) == 1:
		return p.codePred(parts[0]), nil
	}
	return p.systemCodePred(parts[0], parts[1]), nil
}

// systemCodePred compares a code with its system, or finds any code of the system if code is
// empty.
func (p *param) systemCodePred(system, code string) store.Pred {
	switch {
	case p.singleSystem != "":
		return p.singleSystemPred(system, code)
	case system == "" && p.onlyTypes("id", "string"):
		return p.codePred(code)
	case code == "":
		return withPrefix(p.number, classSystem, system, "\x00")
	case !isCaseSensitive(system):
		code = foldCode(code)
	}
	return eq(p.number, classSystem, system, "\x00", code)
}

func (p *param) codePred(code string) store.Pred {
	var preds []store.Pred
	if p.tokenClasses.code {
		preds = append(preds, eq(p.number, classCode, code))
	}
	if p.tokenClasses.folded {
		preds = append(preds, eq(p.number, classFolded, foldCode(code)))
	}
	if p.tokenClasses.phone {
		preds = append(preds, eq(p.number, classPhone, phoneDigits(code)))
	}
	return anyOf(preds...)
}

func (p *param) singleSystemPred(system, code string) store.Pred {
	switch {
	case system != p.singleSystem:
		return store.Or{}
	case code == "" && p.tokenClasses.code:
		return withPrefix(p.number, classCode)
	case code == "":
		return withPrefix(p.number, classFolded)
	}
	return p.codePred(code)
}

// splitBars splits a value at its bars and unescapes the parts.
func splitBars(value string) ([]string, error) {
	parts, err := Split(value, '|')
	if err != nil {
		return nil, err
	}
	for i := range parts {
		if parts[i], err = Unescape(parts[i]); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// displayPred finds a text or display by its beginning.
func (p *param) displayPred(value string) (store.Pred, error) {
	value, err := Unescape(value)
	if err != nil {
		return nil, err
	}
	folded := fold(value)
	if folded == "" {
		return store.Or{}, nil
	}
	return withPrefix(p.number|verifies, classText, folded), nil
}

// ofTypePred finds an identifier by the coding of its type and its value (SRCH-050). The value
// drives; a verifying key has all three.
func (p *param) ofTypePred(parts []string, value string) (store.Pred, error) {
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return nil, fault("value", "%s:of-type is system|code|value with all three, not %q.", p.Code, value)
	}
	return store.And{
		p.codePred(parts[2]),
		eq(p.number|verifies, classIdentifierType, parts[0], "\x00", parts[1], "\x00", foldCode(parts[2])),
	}, nil
}
