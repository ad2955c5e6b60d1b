package synth

import (
	"encoding/base64"
	"strconv"
	"time"
)

// limit is how many resources one bundle of the region holds at most.
const limit = 100

// feed writes what one source says about one patient as transaction bundles of
// a bounded size. A resource is begun with open, its members are appended, and
// close ends it.
type feed struct {
	of      *Organisation
	ref     string // Organization/…
	buf     []byte
	n       int // resources in buf
	done    [][]byte
	serial  int // ids of the patient in hand
	typ, id string
	staff   []string // references to practitioners
	patient int
}

// open begins a resource of the patient in hand under an id of its own.
func (f *feed) open(typ string) *feed {
	f.serial++
	f.id = f.of.IDPrefix + "r" + strconv.Itoa(f.patient) + "-" + strconv.Itoa(f.serial)
	return f.begin(typ)
}

// named begins a resource under a name in the id space of the source.
func (f *feed) named(typ, name string) *feed {
	f.id = f.of.IDPrefix + name
	return f.begin(typ)
}

func (f *feed) begin(typ string) *feed {
	f.typ = typ
	if f.n == 0 {
		f.buf = append(f.buf[:0], `{"resourceType":"Bundle","type":"transaction","entry":[`...)
	} else {
		f.buf = append(f.buf, ',')
	}
	f.raw(`{"fullUrl":"urn:carerecord:`).raw(typ).raw(":").raw(f.id)
	return f.raw(`","resource":{"resourceType":"`).raw(typ).raw(`","id":"`).raw(f.id).raw(`"`)
}

// close ends a resource and returns the reference to it.
func (f *feed) close() string {
	ref := f.typ + "/" + f.id
	f.raw(`},"request":{"method":"PUT","url":"`).raw(ref).raw(`"}}`)
	if f.n++; f.n == limit {
		f.finish()
	}
	return ref
}

// finish ends the bundle in hand, if there is one.
func (f *feed) finish() {
	if f.n == 0 {
		return
	}
	body := make([]byte, 0, len(f.buf)+2)
	f.done = append(f.done, append(append(body, f.buf...), "]}"...))
	f.n = 0
}

// take returns the bundles since the last call.
func (f *feed) take() [][]byte {
	f.finish()
	done := f.done
	f.done = nil
	return done
}

func (f *feed) raw(s string) *feed {
	f.buf = append(f.buf, s...)
	return f
}

// str writes a member whose value needs no escapes.
func (f *feed) str(name, value string) *feed {
	return f.raw(`,"`).raw(name).raw(`":"`).raw(value).raw(`"`)
}

func (f *feed) link(name, ref string) *feed {
	return f.raw(`,"`).raw(name).raw(`":{"reference":"`).raw(ref).raw(`"}`)
}

// about writes whom the resource is about.
func (f *feed) about(name string, p *person) *feed { return f.link(name, p.ref) }

// concept writes a CodeableConcept.
func (f *feed) concept(name string, c code) *feed {
	return f.raw(`,"`).raw(name).raw(`":`).raw(c.json)
}

// label writes security labels, where there are any.
func (f *feed) label(label string) *feed {
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

func (f *feed) date(name string, t time.Time) *feed {
	f.raw(`,"`).raw(name).raw(`":"`)
	f.buf = t.AppendFormat(f.buf, time.DateOnly)
	return f.raw(`"`)
}

func (f *feed) instant(name string, t time.Time) *feed {
	f.raw(`,"`).raw(name).raw(`":"`)
	f.buf = t.AppendFormat(f.buf, time.RFC3339)
	return f.raw(`"`)
}

// period writes a Period of days; a zero end is left out.
func (f *feed) period(name string, from, to time.Time) *feed {
	f.raw(`,"`).raw(name).raw(`":{"start":"`)
	f.buf = from.AppendFormat(f.buf, time.DateOnly)
	if !to.IsZero() {
		f.raw(`","end":"`)
		f.buf = to.AppendFormat(f.buf, time.DateOnly)
	}
	return f.raw(`"}`)
}

// text writes an Attachment's plain text.
func (f *feed) text(body []byte) *feed {
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
func (f *feed) quantity(name string, v int, m measure) *feed {
	f.raw(`"`).raw(name).raw(`":{"value":`)
	f.buf = decimal(f.buf, v, m.places)
	return f.raw(`,"unit":"`).raw(m.unit).raw(`","system":"` + ucum + `","code":"`).raw(m.unit).raw(`"}`)
}
