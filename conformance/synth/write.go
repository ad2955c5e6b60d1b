package synth

import (
	"encoding/base64"
	"strconv"
	"time"
)

// maxBundleSize is the maximum number of resources of a bundle of the region.
const maxBundleSize = 100

// sourceWriter writes the resources of one source about one patient into transaction bundles.
// beginResource begins a resource, other methods append members, and endResource ends it.
type sourceWriter struct {
	organisation *Organisation
	ref          string // Organization/…
	buf          []byte
	n            int // resources in buf
	done         [][]byte
	serial       int // last id of the current patient
	typ, id      string
	staff        []string // references to practitioners
	patient      int
}

// beginResource begins a resource of the current patient with a new id.
func (f *sourceWriter) beginResource(typ string) *sourceWriter {
	f.serial++
	f.id = f.organisation.IDPrefix + "r" + strconv.Itoa(f.patient) + "-" + strconv.Itoa(f.serial)
	return f.beginType(typ)
}

// beginNamed begins a resource whose id is the prefix of the source and a name.
func (f *sourceWriter) beginNamed(typ, name string) *sourceWriter {
	f.id = f.organisation.IDPrefix + name
	return f.beginType(typ)
}

func (f *sourceWriter) beginType(typ string) *sourceWriter {
	f.typ = typ
	if f.n == 0 {
		f.buf = append(f.buf[:0], `{"resourceType":"Bundle","type":"transaction","entry":[`...)
	} else {
		f.buf = append(f.buf, ',')
	}
	f.raw(`{"fullUrl":"urn:carerecord:`).raw(typ).raw(":").raw(f.id)
	return f.raw(`","resource":{"resourceType":"`).raw(typ).raw(`","id":"`).raw(f.id).raw(`"`)
}

// endResource ends a resource and returns the reference to it.
func (f *sourceWriter) endResource() string {
	ref := f.typ + "/" + f.id
	f.raw(`},"request":{"method":"PUT","url":"`).raw(ref).raw(`"}}`)
	if f.n++; f.n == maxBundleSize {
		f.endBundle()
	}
	return ref
}

// endBundle ends the current bundle, if there is one.
func (f *sourceWriter) endBundle() {
	if f.n == 0 {
		return
	}
	body := make([]byte, 0, len(f.buf)+2)
	f.done = append(f.done, append(append(body, f.buf...), "]}"...))
	f.n = 0
}

// takeBundles returns the bundles since the last call.
func (f *sourceWriter) takeBundles() [][]byte {
	f.endBundle()
	done := f.done
	f.done = nil
	return done
}

func (f *sourceWriter) raw(s string) *sourceWriter {
	f.buf = append(f.buf, s...)
	return f
}

// str writes a member whose value needs no escapes.
func (f *sourceWriter) str(name, value string) *sourceWriter {
	return f.raw(`,"`).raw(name).raw(`":"`).raw(value).raw(`"`)
}

func (f *sourceWriter) link(name, ref string) *sourceWriter {
	return f.raw(`,"`).raw(name).raw(`":{"reference":"`).raw(ref).raw(`"}`)
}

// patientRef writes a reference to the patient.
func (f *sourceWriter) patientRef(name string, p *person) *sourceWriter { return f.link(name, p.ref) }

// concept writes a CodeableConcept.
func (f *sourceWriter) concept(name string, c code) *sourceWriter {
	return f.raw(`,"`).raw(name).raw(`":`).raw(c.json)
}

// label writes security labels, if there are any.
func (f *sourceWriter) label(label string) *sourceWriter {
	if label == "" {
		return f
	}
	level := "R"
	if label == "HIV" {
		level = "V"
	}
	return f.raw(`,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"`).raw(level).
		raw(`"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"`).raw(label).raw(`"}]}`)
}

func (f *sourceWriter) date(name string, t time.Time) *sourceWriter {
	f.raw(`,"`).raw(name).raw(`":"`)
	f.buf = t.AppendFormat(f.buf, time.DateOnly)
	return f.raw(`"`)
}

func (f *sourceWriter) instant(name string, t time.Time) *sourceWriter {
	f.raw(`,"`).raw(name).raw(`":"`)
	f.buf = t.AppendFormat(f.buf, time.RFC3339)
	return f.raw(`"`)
}

// period writes a Period of days; a zero end is omitted.
func (f *sourceWriter) period(name string, from, to time.Time) *sourceWriter {
	f.raw(`,"`).raw(name).raw(`":{"start":"`)
	f.buf = from.AppendFormat(f.buf, time.DateOnly)
	if !to.IsZero() {
		f.raw(`","end":"`)
		f.buf = to.AppendFormat(f.buf, time.DateOnly)
	}
	return f.raw(`"}`)
}

// text writes an Attachment of plain text.
func (f *sourceWriter) text(body []byte) *sourceWriter {
	f.raw(`{"contentType":"text/plain; charset=utf-8","language":"en-GB","data":"`)
	f.buf = base64.StdEncoding.AppendEncode(f.buf, body)
	return f.raw(`"}`)
}

// decimal appends a number that is given in units of its last place.
func decimal(buf []byte, v, places int) []byte {
	if places == 0 {
		return strconv.AppendInt(buf, int64(v), 10)
	}
	scale := 1
	for range places {
		scale *= 10
	}
	buf = append(strconv.AppendInt(buf, int64(v/scale), 10), '.')
	for scale /= 10; scale > 0; scale /= 10 {
		buf = append(buf, byte('0'+v/scale%10))
	}
	return buf
}

// quantity writes a Quantity with its UCUM unit.
func (f *sourceWriter) quantity(name string, v int, m measure) *sourceWriter {
	f.raw(`"`).raw(name).raw(`":{"value":`)
	f.buf = decimal(f.buf, v, m.places)
	return f.raw(`,"unit":"`).raw(m.unit).raw(`","system":"` + ucum + `","code":"`).raw(m.unit).raw(`"}`)
}
