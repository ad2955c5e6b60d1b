package index

import (
	"strings"

	"carerecord/fhir/path"
	"carerecord/store"
)

// text makes the keys of a string parameter for one value.
func (b *builder) text(number uint16, v path.Value) {
	switch v.Type {
	case "HumanName":
		b.parts(number, v, "text", "family", "given", "prefix", "suffix")
	case "Address":
		b.parts(number, v, "text", "line", "city", "district", "state", "postalCode", "country")
	case "string", "markdown":
		b.words(number, v)
	case "Extension":
		if inner, ok := v.Choice("value"); ok {
			b.text(number, inner)
		}
	}
}

func (b *builder) parts(number uint16, v path.Value, names ...string) {
	for _, name := range names {
		for part := range v.All(name) {
			b.words(number, part)
		}
	}
}

// words makes the keys of one string.
func (b *builder) words(number uint16, v path.Value) {
	b.add(number|verifies, classExact, exact(v.Text()))
	folded := fold(v.Text())
	if folded == "" {
		return // SRCH-037
	}
	b.add(number, classStart, cut(folded))
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
			b.add(number, classWord, cut(rest))
		}
	case "Address.postalCode": // SRCH-035
		b.add(number, classPostal, cut(strings.ReplaceAll(folded, " ", "")))
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
		return p.exactText(exact(value), folded), nil
	case folded == "":
		return store.Or{}, nil
	case modifier == "contains":
		return store.Or{
			store.Contains{Prefix: prefix(p.number, classStart), Text: folded},
			store.Contains{Prefix: prefix(p.number|verifies, classLong), Text: folded},
		}, nil
	}
	preds := []store.Pred{p.beginning(classStart, folded)}
	if p.holds("HumanName.family") {
		preds = append(preds, p.beginning(classWord, folded))
	}
	if p.holds("Address.postalCode") {
		preds = append(preds, under(p.number, classPostal, strings.ReplaceAll(folded, " ", "")))
	}
	return anyOf(preds...), nil
}

// exactText verifies the whole string, and drives by its folded form.
func (p *param) exactText(whole, folded string) store.Pred {
	verify := eq(p.number|verifies, classExact, whole)
	if folded == "" {
		return verify
	}
	return store.And{eq(p.number, classStart, cut(folded)), verify}
}

// beginning is what begins with a text, as a whole or from a later word on. The
// keys hold the first bytes of it; the rest is read in the whole text.
func (p *param) beginning(class byte, folded string) store.Pred {
	short := cut(folded)
	if short == folded {
		return under(p.number, class, folded)
	}
	drive := eq(p.number, class, short)
	if class == classWord {
		return store.And{drive, store.Contains{Prefix: prefix(p.number|verifies, classLong), Text: " " + folded}}
	}
	return store.And{drive, under(p.number|verifies, classLong, folded)}
}
