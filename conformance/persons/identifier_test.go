package persons

import (
	"slices"
	"testing"
)

// TestIdentifierStaysLiteralToo: a search by :identifier with a national number finds the rows that name the number, whoever they
// are about, and those of the person; a hidden row by the number changes nothing (IDN-120, CON-1501).
func TestIdentifierStaysLiteralToo(t *testing.T) {
	r := newRegion(t, nil, false)
	r.put("XGP", "Patient", "p", identifier(number))
	r.put("XGP", "Patient", "q", identifier(second))
	r.put("XGP", "Observation", "by-id", observation("1")+about("xgp.q")+`,"performer":[{"reference":"Patient/xgp.p"}]`)
	r.put("XGP", "Observation", "by-number", observation("1")+about("xgp.q")+`,"performer":[{"identifier":{"system":"`+nhs+`","value":"`+number+`"}}]`)
	want := []string{"Observation/xgp.by-id", "Observation/xgp.by-number"}
	for _, hidden := range []bool{false, true} {
		if hidden {
			r.put("XAC", "Observation", "n", observation("1")+`,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}`+byNumber(number))
		}
		if got := r.rows("staff XMH", "Observation?performer:identifier="+nhs+"|"+number, false); !slices.Equal(got, want) {
			t.Errorf("with a hidden row: %v: got %s, want %s", hidden, sprint(got), sprint(want))
		}
	}
}
