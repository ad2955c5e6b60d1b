package index

import (
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/path"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// referenceKeys adds the keys of a reference parameter for one value.
func (x *Indexer) referenceKeys(b *builder, number uint16, v path.Value) {
	switch v.Type {
	case "Reference":
		x.literalKeys(b, number, v.GetText("reference"))
		b.identifierKeys(number, v)
	case "canonical", "uri", "url":
		b.canonicalKeys(number, classRef, v.Text())
	case "Extension":
		if inner, ok := v.Choice("value"); ok {
			x.referenceKeys(b, number, inner)
		}
	}
}

// literalKeys adds the keys of a Reference.reference: Type/id for a resource of this server
// (SRCH-100, 105), the whole address for any other (SRCH-101), none for a contained resource
// (SRCH-107).
func (x *Indexer) literalKeys(b *builder, number uint16, reference string) {
	if reference == "" || reference[0] == '#' {
		return
	}
	ref, local := fhir.ParseRef(x.base, reference)
	if !local {
		b.add(number, classRef, reference)
		return
	}
	b.add(number, classRef, ref.Type, "/", ref.ID)
	if ref.Version != "" {
		b.add(number|verifies, classVersion, ref.String())
	}
}

// identifierKeys adds the keys of a Reference.identifier (SRCH-106). An NHS number that is written with blanks has the keys
// of its digits too.
func (b *builder) identifierKeys(number uint16, reference path.Value) {
	id, ok := reference.Get("identifier")
	if !ok {
		return
	}
	system, value := id.GetText("system"), foldCode(id.GetText("value"))
	if value == "" {
		return
	}
	b.add(number, classLogical, system, "\x00", value)
	b.add(number, classLogicalValue, value)
	if digits, ok := fhir.CleanNHSNumber(value); ok && system == fhir.NHSNumberSystem && digits != value { // written with blanks
		b.add(number, classLogical, system, "\x00", digits)
		b.add(number, classLogicalValue, digits)
	}
}

// logicalPred compares identifiers of references by the rules of tokens.
func (p *param) logicalPred(value string) (store.Pred, error) {
	parts, err := splitBars(value)
	switch {
	case err != nil:
		return nil, err
	case len(parts) > 2 || len(parts) == 2 && parts[0] == "" && parts[1] == "":
		return nil, fault("value", "%s:identifier: %q is neither value nor system|value.", p.Code, value)
	case len(parts) == 1:
		return eq(p.number, classLogicalValue, foldCode(parts[0])), nil
	case parts[1] == "":
		return withPrefix(p.number, classLogical, parts[0], "\x00"), nil
	}
	return eq(p.number, classLogical, parts[0], "\x00", foldCode(parts[1])), nil
}

// canonicalKeys adds the keys of a uri or canonical, which may have a version after a bar.
func (b *builder) canonicalKeys(number uint16, class byte, address string) {
	url, version, _ := strings.Cut(address, "|")
	b.add(number, class, url)
	if version != "" {
		b.add(number|verifies, classVersion, address)
	}
}

// referencePred compares references. A modifier names a type (SRCH-102).
func (x *Indexer) referencePred(p *param, modifier, value string) (store.Pred, error) {
	if modifier == "identifier" {
		return p.logicalPred(value)
	}
	value, err := Unescape(value)
	if err != nil {
		return nil, err
	}
	if modifier != "" {
		if value, err = x.typedReference(p, modifier, value); err != nil {
			return nil, err
		}
	}
	var preds []store.Pred
	if p.canHaveType("canonical", "uri", "url") {
		preds = append(preds, versionedPred(p.number, classRef, value))
	}
	if !p.canHaveType("Reference", "Extension") {
		return anyOf(preds...), nil
	}
	switch ref, local := fhir.ParseRef(x.base, value); {
	case local && ref.Version != "":
		preds = append(preds, store.And{
			eq(p.number, classRef, ref.Type, "/", ref.ID),
			eq(p.number|verifies, classVersion, ref.String()),
		})
	case local:
		preds = append(preds, eq(p.number, classRef, ref.Type, "/", ref.ID))
	case strings.ContainsAny(value, "/:"):
		preds = append(preds, eq(p.number, classRef, value))
	case fhir.ValidID(value):
		for _, target := range p.Targets {
			preds = append(preds, eq(p.number, classRef, target, "/", value))
		}
	}
	return anyOf(preds...), nil
}

// IDOfEachTarget returns one predicate for each target type for a value that is only an id. It
// returns nil if the value has a type, or if the parameter has only one target type (SRCH-103).
func (x *Indexer) IDOfEachTarget(typ, name, value string) []store.Pred {
	p, err := x.served(typ, name)
	if err != nil || p.Kind != Reference || len(p.Targets) < 2 || !p.canHaveType("Reference", "Extension") {
		return nil
	}
	if value, err = Unescape(value); err != nil || !fhir.ValidID(value) {
		return nil
	}
	preds := make([]store.Pred, len(p.Targets))
	for i, target := range p.Targets {
		preds[i] = eq(p.number, classRef, target, "/", value)
	}
	return preds
}

// typedReference returns Type/id for the value of "param:Type".
func (x *Indexer) typedReference(p *param, typ, value string) (string, error) {
	if !slices.Contains(p.Targets, typ) {
		return "", fault("not-supported", "%s does not take the modifier :%s.", p.Code, typ)
	}
	ref, local := fhir.ParseRef(x.base, value)
	switch {
	case local && ref.Type == typ:
		return value, nil
	case local || strings.ContainsAny(value, "/:"):
		return "", fault("value", "%s:%s: %q does not refer to a %s of this server.", p.Code, typ, value, typ)
	}
	return typ + "/" + value, nil
}

func versionedPred(number uint16, class byte, address string) store.Pred {
	url, version, _ := strings.Cut(address, "|")
	if version == "" {
		return eq(number, class, url)
	}
	return store.And{eq(number, class, url), eq(number|verifies, classVersion, address)}
}

// uriKeys adds the keys of a uri parameter for one value.
func (b *builder) uriKeys(number uint16, v path.Value) {
	switch v.Type {
	case "canonical":
		b.canonicalKeys(number, classURI, v.Text())
	case "uri", "url", "oid", "uuid":
		b.add(number, classURI, v.Text())
	case "Extension":
		if inner, ok := v.Choice("value"); ok {
			b.uriKeys(number, inner)
		}
	}
}

// uriPred compares uris as written (SRCH-115), and canonicals without their version unless the
// value has one (SRCH-108).
func uriPred(p *param, modifier, value string) (store.Pred, error) {
	value, err := Unescape(value)
	if err != nil {
		return nil, err
	}
	url, version, hasVersion := strings.Cut(value, "|")
	canonical := p.onlyTypes("canonical")
	switch {
	case modifier != "" && strings.HasPrefix(value, "urn:"):
		return store.Or{}, nil
	case modifier == "above" && canonical:
		return nil, fault("not-supported", "%s does not take the modifier :above: its values are canonical.", p.Code)
	case modifier == "above":
		return p.prefixesPred(value), nil
	case modifier == "below" && canonical && hasVersion:
		return store.And{eq(p.number, classURI, url), withPrefix(p.number|verifies, classVersion, url, "|", version)}, nil
	case modifier == "below":
		return withPrefix(p.number, classURI, value), nil
	case canonical:
		return versionedPred(p.number, classURI, value), nil
	}
	return eq(p.number, classURI, value), nil
}

// prefixesPred finds the uris that are prefixes of a value (SRCH-115).
func (p *param) prefixesPred(value string) store.Pred {
	preds := make(store.Or, 0, len(value))
	for i := range value {
		if i > 0 {
			preds = append(preds, eq(p.number, classURI, value[:i]))
		}
	}
	return append(preds, eq(p.number, classURI, value))
}

// References returns the literal references to resources of this server that a reference
// parameter finds in a resource, in the order of the body. It serves _include. The error is an
// *Error if there is no such parameter.
func (x *Indexer) References(typ, name string, body []byte) ([]fhir.Ref, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	if p.Kind != Reference {
		return nil, fault("not-supported", "%s of %s is not a reference parameter.", name, typ)
	}
	doc, err := path.Parse(body)
	if err != nil {
		return nil, err
	}
	var refs []fhir.Ref
	for _, v := range p.expr.Eval(doc, nil) {
		if v.Type == "Extension" {
			v, _ = v.Choice("value")
		}
		if ref, ok := fhir.ParseRef(x.base, v.GetText("reference")); ok && v.Type == "Reference" {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// targetsOf returns the types to which a reference parameter can refer: those that the elements
// allow, restricted by the expression (SRCH-104). If both allow any type, it returns the list of
// the definition, or every type.
func targetsOf(def *r4.SearchParam, yields []path.Yield) []string {
	set := map[string]bool{}
	for _, y := range yields {
		allowed := []string{"Resource"}
		if y.Element != nil {
			for _, r := range y.Element.Types {
				if r.Name == y.Type && r.Targets != nil {
					allowed = r.Targets
				}
			}
		}
		switch {
		case y.Targets != nil:
			allowed = y.Targets
		case slices.Contains(allowed, "Resource") && def.Targets != nil && !slices.Contains(def.Targets, "Resource"):
			allowed = def.Targets
		case slices.Contains(allowed, "Resource"):
			allowed = r4.Resources()
		}
		for _, typ := range allowed {
			set[typ] = true
		}
	}
	return sortedNames(set)
}
