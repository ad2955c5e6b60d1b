package synth

import (
	"encoding/base64"
	"strconv"
	"time"
)

// maxBundleSize is the maximum number of resources of a bundle of the region.
const maxBundleSize = 100

// bundleHead is the beginning of every bundle.
const bundleHead = `{"resourceType":"Bundle","type":"transaction","entry":[`

// sourceWriter writes the resources of one source into transaction bundles, patient by patient.
// beginResource begins a resource, other methods append members, and endResource ends it.
type sourceWriter struct {
	organisation *Organisation
	ref          string // Organization/…
	buf          []byte
	pending      int // number of resources in buf
	finished     [][]byte
	lastID       int // last id of the current patient
	typ, id      string
	staff        []string // references to practitioners
	patient      int

	// Of the shape PatientPerSource:
	ownPatients  bool // rows refer to the source's own Patient, which heads the first bundle
	knowsPatient bool // a row refers to the Patient of the current person
	byNumber     bool // rows name the current person by NHS number, without a reference
}

// beginResource begins a resource about the current patient, with the next id.
func (w *sourceWriter) beginResource(typ string) *sourceWriter {
	w.lastID++
	w.id = w.organisation.IDPrefix + "r" + strconv.Itoa(w.patient) + "-" + strconv.Itoa(w.lastID)
	return w.beginType(typ)
}

// beginNamed begins a resource whose id is the prefix of the source and a name.
func (w *sourceWriter) beginNamed(typ, name string) *sourceWriter {
	w.id = w.organisation.IDPrefix + name
	return w.beginType(typ)
}

func (w *sourceWriter) beginType(typ string) *sourceWriter {
	w.typ = typ
	if w.pending == 0 {
		w.buf = append(w.buf[:0], bundleHead...)
	} else {
		w.buf = append(w.buf, ',')
	}
	w.raw(`{"fullUrl":"urn:carerecord:`).raw(typ).raw(":").raw(w.id)
	return w.raw(`","resource":{"resourceType":"`).raw(typ).raw(`","id":"`).raw(w.id).raw(`"`)
}

// endResource ends a resource and returns the reference to it.
func (w *sourceWriter) endResource() string {
	ref := w.typ + "/" + w.id
	w.raw(`},"request":{"method":"PUT","url":"`).raw(ref).raw(`"}}`)
	if w.pending++; w.pending == w.capacity() {
		w.endBundle()
	}
	return ref
}

// capacity returns the number of resources at which the current bundle is full.
func (w *sourceWriter) capacity() int {
	if w.ownPatients && len(w.finished) == 0 {
		return maxBundleSize - 1 // leaves room for the Patient
	}
	return maxBundleSize
}

// endBundle ends the current bundle, if there is one.
func (w *sourceWriter) endBundle() {
	if w.pending == 0 {
		return
	}
	body := make([]byte, 0, len(w.buf)+2)
	w.finished = append(w.finished, append(append(body, w.buf...), "]}"...))
	w.pending = 0
}

// takeBundles ends the current bundle and returns the bundles since the last call.
func (w *sourceWriter) takeBundles() [][]byte {
	w.endBundle()
	done := w.finished
	w.finished = nil
	return done
}

func (w *sourceWriter) raw(s string) *sourceWriter {
	w.buf = append(w.buf, s...)
	return w
}

// str writes a string member. The value must need no escapes.
func (w *sourceWriter) str(name, value string) *sourceWriter {
	return w.raw(`,"`).raw(name).raw(`":"`).raw(value).raw(`"`)
}

func (w *sourceWriter) link(name, ref string) *sourceWriter {
	return w.raw(`,"`).raw(name).raw(`":{"reference":"`).raw(ref).raw(`"}`)
}

// patientRef writes a reference to the patient.
func (w *sourceWriter) patientRef(name string, p *person) *sourceWriter {
	if w.byNumber {
		return w.raw(`,"`).raw(name).raw(`":{"type":"Patient","identifier":{"system":"` + nhsNumberSystem + `","value":"`).raw(p.nhs).raw(`"}}`)
	}
	return w.link(name, w.patientOf(p))
}

// concept writes a CodeableConcept.
func (w *sourceWriter) concept(name string, c code) *sourceWriter {
	return w.raw(`,"`).raw(name).raw(`":`).raw(c.json)
}

// label writes security labels, if there are any.
func (w *sourceWriter) label(label string) *sourceWriter {
	if label == "" {
		return w
	}
	level := "R"
	if label == "HIV" {
		level = "V"
	}
	return w.raw(`,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"`).raw(level).
		raw(`"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"`).raw(label).raw(`"}]}`)
}

func (w *sourceWriter) date(name string, t time.Time) *sourceWriter {
	w.raw(`,"`).raw(name).raw(`":"`)
	w.buf = t.AppendFormat(w.buf, time.DateOnly)
	return w.raw(`"`)
}

func (w *sourceWriter) instant(name string, t time.Time) *sourceWriter {
	w.raw(`,"`).raw(name).raw(`":"`)
	w.buf = t.AppendFormat(w.buf, time.RFC3339)
	return w.raw(`"`)
}

// period writes a Period of days; a zero end is omitted.
func (w *sourceWriter) period(name string, from, to time.Time) *sourceWriter {
	w.raw(`,"`).raw(name).raw(`":{"start":"`)
	w.buf = from.AppendFormat(w.buf, time.DateOnly)
	if !to.IsZero() {
		w.raw(`","end":"`)
		w.buf = to.AppendFormat(w.buf, time.DateOnly)
	}
	return w.raw(`"}`)
}

// text writes an Attachment of plain text.
func (w *sourceWriter) text(body []byte) *sourceWriter {
	w.raw(`{"contentType":"text/plain; charset=utf-8","language":"en-GB","data":"`)
	w.buf = base64.StdEncoding.AppendEncode(w.buf, body)
	return w.raw(`"}`)
}

// decimal appends the decimal number v, in units of its last of so many decimal places.
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
func (w *sourceWriter) quantity(name string, v int, m measure) *sourceWriter {
	w.raw(`"`).raw(name).raw(`":{"value":`)
	w.buf = decimal(w.buf, v, m.places)
	return w.raw(`,"unit":"`).raw(m.unit).raw(`","system":"` + ucum + `","code":"`).raw(m.unit).raw(`"}`)
}
