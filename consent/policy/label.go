package policy

import "github.com/tidwall/gjson"

// Confidentiality is the code system of confidentiality labels.
const Confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"

// sensitive are the sensitivity codes of CON-701.
var sensitive = map[string]bool{
	"HIV": true, "STD": true, "SEX": true, "SDV": true, "GDIS": true, "ETH": true,
	"SPI": true, "MH": true, "PSY": true, "BH": true, "SUD": true, "ETHUD": true, "OPIOIDUD": true,
}

// Labels is what the security labels of a body say, as far as it is decided
// today. Labels are read wide: a code counts whatever its system.
type Labels struct {
	Restricted bool // R, V or REDACTED
	Sensitive  bool // a sensitivity code
	NoPatient  bool // NOPAT: not to be shown to the patient
}

// LabelsOf reads the labels of a body, contained resources included.
func LabelsOf(body []byte) Labels {
	var l Labels
	r := gjson.ParseBytes(body)
	l.read(r.Get("meta.security"))
	r.Get("contained").ForEach(func(_, c gjson.Result) bool {
		l.read(c.Get("meta.security"))
		return true
	})
	return l
}

func (l *Labels) read(list gjson.Result) {
	list.ForEach(func(_, c gjson.Result) bool {
		switch code := c.Get("code").Str; {
		case code == "R", code == "V", code == "REDACTED":
			l.Restricted = true
		case code == "NOPAT":
			l.NoPatient = true
		case sensitive[code]:
			l.Sensitive = true
		}
		return true
	})
}
