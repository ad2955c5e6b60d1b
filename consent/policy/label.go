package policy

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir/payload"
)

// sensitive are the sensitivity codes of CON-701.
var sensitive = map[string]bool{
	"HIV": true, "STD": true, "SEX": true, "SDV": true, "GDIS": true, "ETH": true,
	"SPI": true, "MH": true, "PSY": true, "BH": true, "SUD": true, "ETHUD": true, "OPIOIDUD": true,
}

// Labels are the security labels of a body as far as they decide today. A code counts in any system and
// letter case.
type Labels struct {
	Restricted bool // R, V, REDACTED, or labels of elements, which are not read yet (CON-710)
	Sensitive  bool // a sensitivity code
	NoPatient  bool // NOPAT: not to be shown to the patient
}

// LabelsOf reads the labels of a body and of every resource that it embeds, at any depth: contained, in a
// Bundle, in Parameters, in base64. Labels are meta.security, the labels of a document
// (DocumentReference.securityLabel, Composition.confidentiality), and inline security labels of elements,
// which apply to the whole document. Labels in a provision of a Consent do not count. body is one that
// fhir.Parse accepted.
func LabelsOf(body []byte) Labels {
	var l Labels
	//law:labels-read
	l.read(body, 0)
	return l
}

// labelHints are the texts of which a body with labels has at least one. An escape can hide a name.
var labelHints = [][]byte{
	[]byte(`"security`), []byte(`"confidentiality"`), []byte(`sec-label`), []byte(`security-label`),
	[]byte(`"data"`), []byte(`Base64Binary"`), []byte(`"data:`), []byte(`\u`),
}

func (l *Labels) read(body []byte, payloads int) {
	for _, mark := range labelHints {
		if bytes.Contains(body, mark) {
			r := labelReader{src: body, labels: l, payloads: payloads}
			r.value("", false)
			return
		}
	}
}

// add adds one code.
func (l *Labels) add(code string) {
	//law:label-code
	switch code = strings.ToUpper(strings.TrimSpace(code)); {
	case code == "R", code == "V", code == "REDACTED", code == "PROCESSINLINELABEL":
		l.Restricted = true
	case code == "NOPAT":
		l.NoPatient = true
	case sensitive[code]:
		l.Sensitive = true
	}
}

// labelReader reads a body once, from start to end. fhir.Parse has checked that it is JSON.
type labelReader struct {
	src      []byte
	i        int
	labels   *Labels
	payloads int // depth of embedded payloads
}

// next skips white space and returns the next byte.
func (r *labelReader) next() byte {
	for r.i < len(r.src) {
		switch c := r.src[r.i]; c {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return c
		}
	}
	return 0
}

// text reads a string.
func (r *labelReader) text() string {
	from, escaped := r.i, false
	for r.i++; r.i < len(r.src); r.i++ {
		switch r.src[r.i] {
		case '\\':
			escaped = true
			r.i++
		case '"':
			r.i++
			if escaped {
				return gjson.ParseBytes(r.src[from:r.i]).Str
			}
			return string(r.src[from+1 : r.i-1])
		}
	}
	return ""
}

// value reads one value. name is the property that contains it; labels reports that all codes in it are
// labels.
func (r *labelReader) value(name string, labels bool) {
	switch r.next() {
	case '{':
		r.object(name, labels)
	case '[':
		r.i++
		for r.next() != ']' && r.i < len(r.src) {
			r.value(name, labels)
			if r.next() == ',' {
				r.i++
			}
		}
		r.i++
	case '"':
		if from := r.i; !r.mayBeLabel(name, labels) {
			r.skip(from)
			return
		}
		r.readText(name, r.text())
	default:
		for r.i < len(r.src) && !bytes.ContainsRune([]byte(",]} \t\n\r"), rune(r.src[r.i])) {
			r.i++
		}
	}
}

// skip skips a string.
func (r *labelReader) skip(from int) {
	for r.i = from + 1; r.i < len(r.src); r.i++ {
		switch r.src[r.i] {
		case '\\':
			r.i++
		case '"':
			r.i++
			return
		}
	}
}

// mayBeLabel reports whether the text of a property may be or contain a label.
func (r *labelReader) mayBeLabel(name string, labels bool) bool {
	return labels && (name == "code" || name == "valueCode") || name == "confidentiality" ||
		payload.Property(name) || bytes.HasPrefix(r.src[r.i:], []byte(`"data:`))
}

// readText reads a text for which mayBeLabel is true.
func (r *labelReader) readText(name, text string) {
	data, isPayload := text, payload.Property(name)
	if !isPayload {
		_, data, isPayload = payload.DataURL(text)
	}
	if !isPayload {
		r.labels.add(text)
		return
	}
	if r.payloads == payload.MaxDepth {
		return // ownership treats it as unreadable
	}
	bodies, _ := payload.Read("", data)
	for _, body := range bodies {
		r.labels.read(body, r.payloads+1)
	}
}

// object reads an object. An extension is an inline label by its url, which may follow the value: such an
// object is read twice.
func (r *labelReader) object(name string, labels bool) {
	from, inline := r.i, false
	r.i++
	for r.next() == '"' {
		member := r.text()
		r.next()
		r.i++ // the colon
		switch {
		case member == "url" && r.next() == '"':
			at := r.i
			url := r.text()
			inline = inline || strings.Contains(url, "sec-label") || strings.Contains(url, "security-label")
			if strings.HasPrefix(url, "data:") {
				r.i = at
				r.value(member, labels)
			}
		default:
			r.value(member, labels || member == "security" || member == "securityLabel" && name != "provision")
		}
		if r.next() == ',' {
			r.i++
		}
	}
	r.i++
	if inline && !labels {
		end := r.i
		r.i = from
		r.object(name, true)
		r.i = end
	}
}
