package index

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"carerecord/store"
)

// TestDecode reads a key of every class and of every fact.
func TestDecode(t *testing.T) {
	of := func(typ, code string) uint16 { return paramNumbers()[paramName{typ, code}] }
	code, value := of("Observation", "code"), of("Observation", "value-quantity")
	date, subject := of("Observation", "date"), of("Observation", "subject")
	lo := momentOf(time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC))
	hi := lo.add(60, 0)
	number := func(text string) string {
		d, err := parseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		enc, _ := d.encode()
		return enc
	}
	nested := func(keys ...store.Key) string {
		out := ""
		for _, k := range keys {
			out += string(rune(len(k))) + string(k)
		}
		return out
	}
	degrees := func(f float64) string { return string(binary.BigEndian.AppendUint64(nil, math.Float64bits(f))) }
	const base = "http://example.org"
	met := map[string]bool{}
	for _, c := range []struct {
		key               store.Key
		name, class, want string
	}{
		{TypeKey("Observation"), "type", "", `type "Observation"`},
		{OwnerKey("1"), "owner", "", `person "1"`},
		{DependsOnKey("nhs:9000000009"), "depends on", "", `name "nhs:9000000009"`},
		{MentionKey("2"), "mentions", "", `name "2"`},
		{SourceKey("XGP01"), "source", "", `ods "XGP01"`},
		{FactKey(FactShared), "fact", "", `fact "shared"`},
		{AboutKey("id:s|v"), "about", "", `name "id:s|v"`},
		{CoversKey("1"), "covers", "", `name "1"`},
		{NumberKey("nhs:9000000009"), "has number", "", `name "nhs:9000000009"`},
		{PatientKey("1"), "patient", "", `id "1"`},
		{NamesNumberKey("nhs:9000000009"), "names number", "", `person "nhs:9000000009"`},
		{MakerKey("nhs:9000000009"), "made about", "", `person "nhs:9000000009"`},
		{HomeKey("nhs:9000000009"), "home", "", `name "nhs:9000000009"`},
		{BearsKey("nhs:9000000009"), "has identifier", "", `name "nhs:9000000009"`},
		{AttachesKey("b", "XGP01"), "attaches", "", `binary "b", ods "XGP01"`},
		{SourceRowKey("1", "XGP01"), "own source", "", `person "1", ods "XGP01"`},
		{IrregularKey("1"), "irregular", "", `person "1"`},
		{CrossTypeDependsOnKey("Patient/1"), "depends on (cross-type)", "", `name "Patient/1"`},
		{LabelledKey("1"), "labelled", "", `name "1"`},

		{prefix(code, classCode) + "A", "Observation.code", "c", `code "A"`},
		{prefix(code, classFolded) + "a", "Observation.code", "f", `code "a"`},
		{prefix(of("Patient", "phone"), classPhone) + "0113", "Patient.phone", "p", `digits "0113"`},
		{prefix(code, classSystem) + base + "\x00a", "Observation.code", "s", `system "` + base + `", code "a"`},
		{prefix(of("Patient", "family"), classStart) + "alpha beta", "Patient.family", "a", `text "alpha beta"`},
		{prefix(of("Patient", "family"), classWord) + "beta", "Patient.family", "b", `text "beta"`},
		{prefix(of("Patient", "address"), classPostal) + "ls14ap", "Patient.address", "z", `text "ls14ap"`},
		{prefix(date, classDate) + "d" + store.Key(lo.String()+hi.String()), "Observation.date", "d", "unit minute, lo 2026-03-04T09:30:00Z, hi 2026-03-04T09:31:00Z"},
		{prefix(date, classDateEnd) + store.Key(forever().String()+moment{}.String()), "Observation.date", "e", "hi end of time, lo beginning of time"},
		{prefix(value, classNumber) + store.Key("p"+number("-0.00120")), "Observation.value-quantity", "n", "number -0.0012"},
		{prefix(value, classNumberEnd) + store.Key(highest+number("5")), "Observation.value-quantity", "m", "hi highest, lo 5"},
		{prefix(value, classCanonical) + store.Key("g\x00v"+lowest+number("1e3")), "Observation.value-quantity", "q", `dimension "g", number from lowest to 1000`},
		{prefix(value, classCanonicalEnd) + store.Key("g\x00"+number("1e3")+lowest), "Observation.value-quantity", "o", `dimension "g", hi 1000, lo lowest`},
		{prefix(subject, classRef) + "Patient/1", "Observation.subject", "r", `address "Patient/1"`},
		{prefix(subject, classLogical) + base + "\x00v", "Observation.subject", "i", `system "` + base + `", value "v"`},
		{prefix(subject, classLogicalValue) + "v", "Observation.subject", "j", `value "v"`},
		{prefix(subject, classContainedType) + "Group", "Observation.subject", "h", `Type "Group"`},
		{prefix(subject, classOtherPartition), "Observation.subject", "w", ""},
		{prefix(of("ValueSet", "url"), classURI) + base, "ValueSet.url", "u", `address "` + base + `"`},
		{prefix(of("Observation", "code-value-string"), classPair) + "a\x00", "Observation.code-value-string", "k", `code "a", key none`},
		{prefix(of("Observation", "code-value-quantity"), classPair) + store.Key("a\x00np"+number("5")), "Observation.code-value-quantity", "k", `code "a", key (n number 5)`},
		{prefix(of("Location", "near"), classPosition) + store.Key("\x01\x02\x03\x04\x05\x06\x07\x08"+degrees(53.5)+degrees(-1.5)), "Location.near", "g", "cell 0102030405060708, latitude 53.5, longitude -1.5"},
		{prefix(of("Observation", "_content"), classContent) + "cough", "Observation._content", "x", `word "cough"`},

		{prefix(code|verifies, classPresent), "Observation.code", "P", ""},
		{prefix(code|verifies, classText) + "weight", "Observation.code", "W", `text "weight"`},
		{prefix(of("Patient", "identifier")|verifies, classIdentifierType) + base + "\x00MR\x00v", "Patient.identifier", "O", `system "` + base + `", code "MR", value "v"`},
		{prefix(of("Patient", "family")|verifies, classExact) + "Alpha", "Patient.family", "X", `text "Alpha"`},
		{prefix(of("Patient", "family")|verifies, classLong) + "alpha", "Patient.family", "L", `text "alpha"`},
		{prefix(subject|verifies, classVersion) + "Patient/1/_history/2", "Observation.subject", "V", `address "Patient/1/_history/2"`},
		{prefix(subject|verifies, classContainedKeys) + store.Key("Patient\x00"+nested(prefix(of("Patient", "gender"), classCode)+"male")), "Observation.subject", "H", `Type "Patient", keys (Patient.gender c code "male")`},
		{prefix(subject|verifies, classContainedKeys) + "Patient\x00" + noRoom, "Observation.subject", "H", `Type "Patient", keys unknown: the limit was reached`},
		{prefix(value|verifies, classUnit) + store.Key(base+"\x00u\x00p"+number("0")), "Observation.value-quantity", "Q", `system "` + base + `", code "u", number 0`},
		{prefix(value|verifies, classUnitText) + store.Key("kg\x00p"+number("70.5")), "Observation.value-quantity", "T", `unit "kg", number 70.5`},
		{prefix(value|verifies, classUnitSystem) + store.Key(base+"\x00p"+number("12e80")), "Observation.value-quantity", "Y", `system "` + base + `", number 0.12e82`},
		{prefix(of("Observation", "code-value-quantity")|verifies, classTuple) + store.Key(nested("\x00\x01fa", "\x80\x02Yu\x00p"+store.Key(number("1")))), "Observation.code-value-quantity", "G", `keys (part 1 f code "a") (part 2 Y system "u", number 1)`},
		{prefix(FirstDefined, classFolded) + "a", "defined parameter 16384", "f", `code "a"`},
	} {
		got, ok := Decode(c.key)
		if !ok || got.Name != c.name || got.Class != c.class || got.Value != c.want {
			t.Errorf("%q: got %v %+v, want %s %s %s", string(c.key), ok, got, c.name, c.class, c.want)
		}
		met[got.Name], met[got.Class] = true, true
	}
	for _, f := range facts() {
		if !met[f.name] {
			t.Errorf("no key of fact %s is tried", f.name)
		}
	}
	for _, c := range classes() {
		if !met[string(rune(c.class))] {
			t.Errorf("no key of class %c is tried", c.class)
		}
	}
	for _, k := range []store.Key{"", "\x00", "\x00\x00", "\x00\x0b1", "\x00\x00q1", "\x01\x00", prefix(code, '?'), prefix(0x300, classCode) + "a\x00b",
		prefix(value, classNumber) + "p", prefix(date, classDate) + "d", prefix(value, classNumber) + store.Key("p\x80\x00\x00"+strings.Repeat("\x01", 17)), prefix(code|verifies, classPresent) + "x"} {
		if got, ok := Decode(k); ok {
			t.Errorf("%q is no key, and decodes as %+v", string(k), got)
		}
	}
}

// TestDecodeNumbers: a number is written as it was read, and has the same bytes.
func TestDecodeNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := fmt.Sprintf("%s%d.%de%d", rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign"), rapid.Uint64().Draw(t, "whole"),
			rapid.Uint32().Draw(t, "part"), rapid.IntRange(-200, 200).Draw(t, "exponent"))
		d, err := parseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		enc, _ := d.encode()
		written, ok := decodeEnd(enc)
		again, err := parseDecimal(written)
		if !ok || err != nil || again != d {
			t.Fatalf("%s is read back as %q: %+v (%v), want %+v", text, written, again, err, d)
		}
	})
}

// Decode takes any bytes, and a key that it reads has a name and what the table says.
func FuzzDecode(f *testing.F) {
	f.Add("\x00\x021")
	f.Add(string(prefix(paramNumbers()[paramName{"Observation", "subject"}]|verifies, classContainedKeys)) + "Patient\x00\x00")
	f.Add(string(prefix(paramNumbers()[paramName{"Observation", "code-value-quantity"}]|verifies, classTuple)) + "\x04\x00\x01fa")
	f.Fuzz(func(t *testing.T, key string) {
		if d, ok := Decode(store.Key(key)); ok && (d.Name == "" || d.Meaning == "") {
			t.Errorf("%q decodes as %+v", key, d)
		}
		_ = Describe(store.Key(key))
	})
}

// DateOfSortKey is the opposite of what SortKeyOf does with a Date.
func TestOrderDate(t *testing.T) {
	at := time.Date(2026, 3, 4, 9, 30, 1, 0, time.UTC)
	if got, ok := DateOfSortKey(SortKeyOf(dateOf(momentOf(at)), "Observation", "1")); !ok || got != at {
		t.Errorf("got %v %v, want %v", got, ok, at)
	}
	if got, ok := DateOfSortKey(SortKeyOf(noDate(), "Observation", "1")); ok {
		t.Errorf("no date is read as %v", got)
	}
}
