package index

import (
	"encoding/xml"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"carerecord/fhir/path"
	"carerecord/fhir/r4"
)

// The parameters of full text (SRCH-157).
const (
	textParam    = "_text"    // words of the narrative
	contentParam = "_content" // words of the whole resource
)

// maxWord is the number of bytes of a folded word in a key.
const maxWord = 64

func isWords(code string) bool { return code == textParam || code == contentParam }

// wordsParam makes _text or _content of a type. A cut removes whole values and keeps the words of
// the others, so both are monotone.
func (x *standard) wordsParam(def *r4.SearchParam, number uint16) *param {
	p := &param{Param: Param{Code: def.Code, URL: def.URL, Kind: Special, Monotone: true, Indexed: x.words}, number: number}
	if !x.words {
		p.notServedBecause = "this server has no index of words"
	}
	return p
}

// linkNarrative makes _content read the keys of _text too, because only these have the words of
// the narrative.
func (ti *typeIndex) linkNarrative() {
	ti.wordNumbers = map[uint16]bool{}
	for _, p := range ti.keyed {
		if isWords(p.Code) {
			ti.wordNumbers[p.number] = true
		}
	}
	if c, t := ti.params[contentParam], ti.params[textParam]; c != nil && t != nil {
		c.narrative = t.number
	}
}

// wordKeys adds the keys of _text or _content, one for each word.
func (b *builder) wordKeys(p *param, resource path.Value) {
	before := len(b.ends)
	texts := prose(resource)
	if p.Code == textParam {
		texts = narrative(resource)
	}
	for text := range texts {
		for word := range wordsOf(text) {
			b.add(p.number, classContent, word)
		}
	}
	if len(b.ends) > before {
		b.add(p.number|verifies, classPresent)
	}
}

// narrative yields the text of text.div. Inline elements do not separate words; every other
// element does.
func narrative(resource path.Value) iter.Seq[string] {
	return func(yield func(string) bool) {
		text, _ := resource.Get("text")
		div := text.GetText("div")
		if div == "" {
			return
		}
		var all strings.Builder
		d := xml.NewDecoder(strings.NewReader(div))
		d.Strict, d.Entity = false, xml.HTMLEntity
		for {
			token, err := d.RawToken()
			if err != nil { // the end, or markup that lenient validation accepted
				break
			}
			switch t := token.(type) {
			case xml.CharData:
				all.Write(t)
			case xml.StartElement:
				addWordBreak(&all, t.Name.Local)
			case xml.EndElement:
				addWordBreak(&all, t.Name.Local)
			}
		}
		yield(all.String())
	}
}

func addWordBreak(text *strings.Builder, element string) {
	switch element {
	case "a", "abbr", "acronym", "b", "bdo", "big", "cite", "code", "dfn", "em", "font", "i", "ins", "del",
		"kbd", "samp", "small", "span", "strong", "sub", "sup", "tt", "u", "var":
	default:
		text.WriteByte(' ')
	}
}

// prose yields the strings, markdown and codes of a resource outside of the narrative. References
// and meta have parameters of their own. Addresses, ids, dates, numbers and data have no words.
func prose(resource path.Value) iter.Seq[string] {
	return func(yield func(string) bool) {
		for v := range resource.Primitives() {
			switch v.Type {
			case "string", "markdown", "code":
			default:
				continue
			}
			if v.Element != nil {
				switch v.Element.Path {
				case "Reference.reference", "Narrative.status", "Attachment.contentType", "Attachment.language", "Binary.contentType":
					continue
				}
			}
			if !yield(v.Text()) {
				return
			}
		}
	}
}

// wordsOf yields the words of a text, folded: letters, marks and digits, and apostrophes between
// them.
func wordsOf(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for part := range strings.FieldsFuncSeq(text, noLetter) {
			for word := range strings.FieldsSeq(fold(part)) {
				if !yield(cutWord(word)) {
					return
				}
			}
		}
	}
}

func noLetter(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.Cf) && r != '\'' && r != '\u2019'
}

// cutWord shortens a word at the border of a character.
func cutWord(word string) string {
	if len(word) <= maxWord {
		return word
	}
	n := maxWord
	for !utf8.RuneStart(word[n]) {
		n--
	}
	return word[:n]
}
