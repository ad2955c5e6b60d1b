package law_test

// nhsIdentifier returns an Identifier with an NHS number and more members.
func nhsIdentifier(number string, more ...string) string {
	return object(append([]string{`"system":"` + nhsSystem + `"`, `"value":"` + number + `"`}, more...)...)
}

// verification returns the extension with the verification status of an NHS number.
func verification(code string) string {
	return `"extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus","valueCodeableConcept":{"coding":[{"code":"` + code + `"}]}}]`
}

// patientIdentifiers draws the member identifier of a Patient with an NHS number: as the leading one, as one that does
// not count, with another number, or missing.
func (g *generator) patientIdentifiers(number string) string {
	typed := g.maybe(30, `"type":{"coding":[{"system":"http://t","code":"NH"}]}`)
	list := nhsIdentifier(number, typed)
	switch n := g.IntN(24); {
	case n == 0:
		return ""
	case n >= 20 && g.region.index != "": // a number that may supersede the other (IDN-105)
		list += "," + nhsIdentifier(g.numbers[pick(g, g.patients...)])
	case n == 1:
		list = nhsIdentifier(number, typed, `"use":"old"`)
	case n == 2:
		list = nhsIdentifier(number, typed, `"period":`+pick(g, `{"start":"2027"}`, `{"end":"2026-05-31"}`, `{"start":"2020-01-01","end":"2026-06-01"}`, `{"end":"2026"}`, `{"start":"2026-06-02"}`))
	case n == 3:
		list = nhsIdentifier(number, typed, verification(pick(g, "01", "02", "03")))
	case n == 4:
		list += "," + nhsIdentifier(g.number(70), `"use":"old"`)
	case n == 5:
		list += "," + nhsIdentifier(g.number(70))
	}
	return `"identifier":[` + list + `]`
}

// birthDate draws a birth date of the person with an NHS number: whole, in part, or in few cases another one.
func (g *generator) birthDate(number string) string {
	if g.births[number] == "" {
		g.births[number] = g.date()[:10]
	}
	date := g.births[number]
	switch g.IntN(12) {
	case 0:
		return date[:4]
	case 1:
		return date[:7]
	case 2:
		return g.date()[:10]
	}
	return date
}
