package index

import (
	"strings"

	"carerecord/fhir/path"
	"carerecord/store"
)

// textKeys adds the keys of a string parameter for one value.
func (b *builder) textKeys(number uint16, v path.Value) {
	switch v.Type {
	case "HumanName":
		b.partKeys(number, v, "text", "family", "given", "prefix", "suffix")
	case "Address":
		b.partKeys(number, v, "text", "line", "city", "district", "state", "postalCode", "country")
	case "string", "markdown":
		b.stringKeys(number, v)
	case "Extension":
		if inner, ok := v.Choice("value"); ok {
			b.textKeys(number, inner)
		}
	}
}

func (b *builder) partKeys(number uint16, v path.Value, names ...string) {
	for _, name := range names {
		for part := range v.All(name) {
			b.stringKeys(number, part)
		}
	}
}

// stringKeys adds the keys of one string.
func (b *builder) stringKeys(number uint16, v path.Value) {
	b.add(number|verifies, classExact, canonicalText(v.Text()))
	folded := fold(v.Text())
	if folded == "" {
		return // SRCH-037
	}
	b.add(number, classStart, cutText(folded))
	if len(folded) > maxText {
		b.add(number|verifies, classLong, folded)
	}
	if v.Element == nil {
		return
	}
	switch v.Element.Path {
	case "HumanName.family": // SRCH-034
		for rest := folded; ; {
			i := strings.IndexByte(rest, ' ')
			if i < 0 {
				return
			}
			rest = rest[i+1:]
			b.add(number, classWord, cutText(rest))
		}
	case "Address.postalCode": // SRCH-035
		b.add(number, classPostal, cutText(strings.ReplaceAll(folded, " ", "")))
	}
}

// textPred compares strings (SRCH-030 to 037).
func textPred(p *param, modifier, value string) (store.Pred, error) {
	value, err := Unescape(value)
	if err != nil {
		return nil, err
	}
	folded := fold(value)
	switch {
	case modifier == "exact":
		return p.exactText(canonicalText(value), folded), nil
	case folded == "":
		return store.Or{}, nil
	case modifier == "contains":
		return store.Or{
			store.Contains{Prefix: prefix(p.number, classStart), Text: folded},
			store.Contains{Prefix: prefix(p.number|verifies, classLong), Text: folded},
		}, nil
	}
	preds := []store.Pred{p.prefixPred(classStart, folded)}
	if p.canHaveElement("HumanName.family") {
		preds = append(preds, p.prefixPred(classWord, folded))
	}
	if p.canHaveElement("Address.postalCode") {
		preds = append(preds, withPrefix(p.number, classPostal, strings.ReplaceAll(folded, " ", "")))
	}
	return anyOf(preds...), nil
}

// exactText verifies the whole string; its folded form drives.
func (p *param) exactText(whole, folded string) store.Pred {
	verify := eq(p.number|verifies, classExact, whole)
	if folded == "" {
		return verify
	}
	return store.And{eq(p.number, classStart, cutText(folded)), verify}
}

// prefixPred finds strings that begin with a text, at the start or at a later word. Driving keys
// have the first bytes; a verifying key has the rest.
func (p *param) prefixPred(class byte, folded string) store.Pred {
	short := cutText(folded)
	if short == folded {
		return withPrefix(p.number, class, folded)
	}
	drive := eq(p.number, class, short)
	if class == classWord {
		return store.And{drive, store.Contains{Prefix: prefix(p.number|verifies, classLong), Text: " " + folded}}
	}
	return store.And{drive, withPrefix(p.number|verifies, classLong, folded)}
}
