package facts

import (
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/consent/policy"
)

// fakeIndex is a patient index in which all numbers have one birth date.
type fakeIndex struct {
	born       string   // empty for no Patient
	superseded []string // "current>old"
}

func (f fakeIndex) birthDate(string) (string, bool, error) { return f.born, f.born != "", nil }

func (f fakeIndex) supersedes(current, old string) (bool, error) {
	return slices.Contains(f.superseded, strings.TrimPrefix(current, "nhs:")+">"+strings.TrimPrefix(old, "nhs:")), nil
}

// TestPersonOf: who a Patient is follows from its body, its source, the policy and the patient index (IDN-102 to 105).
func TestPersonOf(t *testing.T) {
	const (
		nhs    = "https://fhir.nhs.uk/Id/nhs-number"
		chi    = "https://phs.scot/chi"
		second = "9990000026"
		third  = "9990000034"
	)
	region := &policy.Identity{Systems: []policy.NumberSystem{{System: nhs, Check: policy.CheckNHS}, {System: chi, Check: policy.CheckCHI}}, Index: "PDS", Traced: []string{"RX1"}}
	of := func(system, value, more string) string {
		return `{"system":"` + system + `","value":"` + value + `"` + more + `}`
	}
	status := func(code string) string {
		return `,"extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus","valueCodeableConcept":{"coding":[{"code":"` + code + `"}]}}]`
	}
	joined := PersonState{Number: "nhs:" + number}
	not := func(reason PersonReason) PersonState { return PersonState{Reason: reason} }
	contradicted := func(reason PersonReason) PersonState { return PersonState{Contradicted: true, Reason: reason} }
	for _, c := range []struct {
		name, source, identifiers, more string
		index                           string // birth date at the patient index; empty for no Patient there
		want                            PersonState
		superseded                      string // by number, as "current>old", separated by blanks
	}{
		{"IDN-103 a traced source", "RX1", of(nhs, number, ""), "", "", joined, ""},
		{"IDN-103 a source that does not trace", "RX2", of(nhs, number, ""), "", "", not(NotTraced), ""},
		{"IDN-103 no source", "", of(nhs, number, ""), "", "", not(NotTraced), ""},
		{"IDN-103 the patient index", "PDS", of(nhs, number, ""), "", "", joined, ""},
		{"IDN-103 verified", "RX1", of(nhs, number, status("01")), "", "", joined, ""},
		{"IDN-103 verified, by the code of UK Core", "RX1", of(nhs, number, status("number-present-and-verified")), "", "", joined, ""},
		{"IDN-103 not verified", "RX1", of(nhs, number, status("02")), "", "", not(NotVerified), ""},
		{"IDN-103 the status of the patient index does not count", "PDS", of(nhs, number, status("02")), "", "", joined, ""},
		{"IDN-102 blanks", "RX1", of(nhs, " 999 000 0018", ""), "", "", joined, ""},
		{"IDN-102 a wrong check digit", "RX1", of(nhs, "9990000019", ""), "", "", not(NoNumber), ""},
		{"IDN-102 one digit repeated", "RX1", of(nhs, "1111111111", ""), "", "", not(NoNumber), ""},
		{"IDN-102 another spelling of the system", "RX1", of(nhs+"/", number, ""), "", "", not(NoNumber), ""},
		{"IDN-102 an old number", "RX1", of(nhs, number, `,"use":"old"`), "", "", not(NoNumber), ""},
		{"IDN-102 a period that has ended", "RX1", of(nhs, number, `,"period":{"end":"2026-05-31"}`), "", "", not(NoNumber), ""},
		{"IDN-102 a period that contains the instant", "RX1", of(nhs, number, `,"period":{"start":"2026","end":"2026-06-01"}`), "", "", joined, ""},
		{"IDN-102 a period that begins with an offset before the instant", "RX1", of(nhs, number, `,"period":{"start":"2026-06-01T13:00:00+02:00"}`), "", "", joined, ""},
		{"IDN-102 a period that ends with an offset before the instant", "RX1", of(nhs, number, `,"period":{"end":"2026-06-01T12:30:00+01:00"}`), "", "", not(NoNumber), ""},
		{"IDN-102 the number of a link", "RX1", "", `,"link":[{"other":{"identifier":` + of(nhs, number, "") + `}}]`, "", not(NoNumber), ""},
		{"IDN-101 a number of Northern Ireland is no NHS number", "RX1", of(nhs, "3200000015", ""), "", "", not(NoNumber), ""},
		{"IDN-101 a second system", "RX1", of(chi, "0101501234", ""), "", "", PersonState{Number: "id:https://phs.scot/chi|0101501234"}, ""},
		{"IDN-101 the first system of the policy decides", "RX1", of(chi, "0101501234", "") + "," + of(nhs, number, ""), "", "", joined, ""},
		{"IDN-104 the same birth date", "RX1", of(nhs, number, ""), `,"birthDate":"1950-01-02"`, "1950-01-02", joined, ""},
		{"IDN-104 a year agrees with its dates", "RX1", of(nhs, number, ""), `,"birthDate":"1950"`, "1950-01-02", joined, ""},
		{"IDN-104 no birth date", "RX1", of(nhs, number, ""), "", "1950-01-02", joined, ""},
		{"IDN-104 another birth date", "RX1", of(nhs, number, ""), `,"birthDate":"1950-02-01"`, "1950-01-02", contradicted(OtherBirthday), ""},
		{"IDN-104 the index is not compared with itself", "PDS", of(nhs, number, ""), `,"birthDate":"1950-02-01"`, "1950-01-02", joined, ""},
		{"IDN-104 a number that does not count is not compared", "RX2", of(nhs, number, ""), `,"birthDate":"1950-02-01"`, "1950-01-02", not(NotTraced), ""},
		{"IDN-105 two numbers", "RX1", of(nhs, number, "") + "," + of(nhs, second, ""), "", "", contradicted(TwoNumbers), ""},
		{"IDN-105 the second supersedes the first", "RX1", of(nhs, number, "") + "," + of(nhs, second, ""), "", "", PersonState{Number: "nhs:" + second}, second + ">" + number},
		{"IDN-105 the first supersedes the second", "RX1", of(nhs, number, "") + "," + of(nhs, second, ""), "", "", joined, number + ">" + second},
		{"IDN-105 three numbers in a chain", "RX1", of(nhs, number, "") + "," + of(nhs, second, "") + "," + of(nhs, third, ""), "", "", joined, third + ">" + second + " " + number + ">" + third},
		{"IDN-105 one of three supersedes nobody", "RX1", of(nhs, number, "") + "," + of(nhs, second, "") + "," + of(nhs, third, ""), "", "", contradicted(TwoNumbers), number + ">" + second},
		{"IDN-105 two numbers supersede the third, and neither the other", "RX1", of(nhs, number, "") + "," + of(nhs, second, "") + "," + of(nhs, third, ""), "", "", contradicted(TwoNumbers), number + ">" + third + " " + second + ">" + third},
		{"IDN-105 each supersedes the other", "RX1", of(nhs, number, "") + "," + of(nhs, second, ""), "", "", contradicted(TwoNumbers), number + ">" + second + " " + second + ">" + number},
		{"IDN-105 the patient index with two numbers", "PDS", of(nhs, number, "") + "," + of(nhs, second, ""), "", "", contradicted(TwoNumbers), number + ">" + second},
		{"IDN-105 the birth date of the surviving number", "RX1", of(nhs, number, "") + "," + of(nhs, second, ""), `,"birthDate":"1950-02-01"`, "1950-01-02", contradicted(OtherBirthday), number + ">" + second},
		{"IDN-105 one number twice", "RX1", of(nhs, number, "") + "," + of(nhs, " 9990000018 ", ""), "", "", joined, ""},
		{"IDN-105 two numbers, one is old", "RX1", of(nhs, number, "") + "," + of(nhs, second, `,"use":"old"`), "", "", joined, ""},
	} {
		body := []byte(`{"resourceType":"Patient","identifier":[` + c.identifiers + `]` + c.more + `}`)
		got, err := personOf(region, body, c.source, time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), fakeIndex{c.index, strings.Fields(c.superseded)})
		if got != c.want || err != nil {
			t.Errorf("%s: got %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
	if got, _ := personOf(nil, []byte(`{"identifier":[`+of(nhs, number, "")+`]}`), "RX1", time.Time{}, nil); got != not(NoPolicy) {
		t.Errorf("without a policy: got %+v, want %+v", got, not(NoPolicy))
	}
}
