package validate

import (
	"fmt"
	"strings"
)

// refusalText returns the text for a code that is not in the value set. It lists the codes of a small set.
func (b *binding) refusalText(code string) string {
	text := fmt.Sprintf("The code %q is not in the value set %s, which is required here.", shorten(code), b.url)
	codes := b.set.Codes()
	if len(codes) == 0 || len(codes) > 20 {
		return text
	}
	return text + " It has: " + strings.Join(codes, ", ") + "."
}

// concept tests a CodeableConcept or Coding with a required binding. At least one coding must be
// from the value set; text alone does not suffice (terminologies.html#required).
func (w *walker) concept(p *prop, body []byte) {
	r := reader{src: body}
	found, codes := false, []string(nil)
	if p.typ == "Coding" {
		found = r.coding(p.binding, &codes)
	} else {
		r.pos++
		for n := 0; r.next(n, '}'); n++ {
			if string(r.name()) != "coding" || r.peek() != '[' {
				r.skip()
				continue
			}
			r.pos++
			for n := 0; r.next(n, ']'); n++ {
				found = r.coding(p.binding, &codes) || found
			}
		}
	}
	switch {
	case found:
	case len(codes) == 0:
		w.faultOrWarning("code-invalid", "A coding with system and code is missing. One from the value set "+p.binding.url+" is required here.")
	default:
		w.faultOrWarning("code-invalid", p.binding.refusalText(strings.Join(codes, ", ")))
	}
}

// coding reads a Coding and reports whether it is in the value set. A code that is not is added to
// codes.
func (r *reader) coding(b *binding, codes *[]string) bool {
	if r.peek() != '{' {
		r.skip()
		return false
	}
	var system, code string
	r.pos++
	for n := 0; r.next(n, '}'); n++ {
		name := string(r.name())
		if r.peek() != '"' {
			r.skip()
			continue
		}
		raw, escaped := r.text()
		if escaped {
			raw = unescape(raw)
		}
		switch name {
		case "system":
			system = string(raw)
		case "code":
			code = string(raw)
		}
	}
	if code == "" {
		return false
	}
	if b.set.Has(system, code) {
		return true
	}
	if system != "" {
		code = system + "|" + code
	}
	*codes = append(*codes, code)
	return false
}
