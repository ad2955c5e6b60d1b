package consent

// class is a class of purposes of use (consent.md section 3).
type class byte

const (
	noClass class = iota
	directCare
	patientOwn
	secondary
	legal
)

// KnownPurpose reports whether a code of v3-ActReason is a purpose of use that decisions know. A client may have no other.
func KnownPurpose(code string) bool { return classOf(code) != noClass }

// classOf is the table of CON-302: the class of a code comes from here alone.
func classOf(purpose string) class {
	switch purpose {
	case "TREAT", "COC", "ETREAT", "ERTREAT":
		return directCare
	case "PATRQT", "FAMRQT", "PWATRNY", "SUPNWK":
		return patientOwn
	case "POPHLTH", "CLINTRL", "HRESCH", "HOPERAT", "PUBHLTH", "HPAYMT", "HMARKT":
		return secondary
	case "HLEGAL":
		return legal
	}
	return noClass
}
