package index_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"carerecord/fhir/index"
	"carerecord/store"
)

const base = "http://h/fhir"

// now is the clock of these tests.
var now = time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC)

func newIndexer(t testing.TB) *index.Indexer {
	t.Helper()
	x, err := index.New(index.Config{Base: base, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// parse reads "name:modifier=value,value" as a search does.
func parse(t testing.TB, typ, query string) index.Query {
	t.Helper()
	left, right, _ := strings.Cut(query, "=")
	name, modifier, _ := strings.Cut(left, ":")
	values, err := index.Split(right, ',')
	if err != nil {
		t.Fatalf("split %q: %v", right, err)
	}
	return index.Query{Type: typ, Name: name, Modifier: modifier, Values: values}
}

// check indexes bodies and asks them: a query that begins with ! must not match.
func check(t *testing.T, name, body string, queries ...string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		x := newIndexer(t)
		typ, rest, _ := strings.Cut(body, " ")
		json := `{"resourceType":"` + typ + `"`
		if rest != "" {
			json += "," + rest
		}
		row, err := x.Index(typ, "id-1", now, []byte(json+"}"))
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queries {
			query, negated := strings.CutPrefix(q, "!")
			p, err := x.Predicate(parse(t, typ, query))
			if err != nil {
				t.Errorf("%s: %v", query, err)
				continue
			}
			if got := store.Match(p, row.Keys); got == negated {
				t.Errorf("%s?%s on %s: got match %v, want %v", typ, query, body, got, !negated)
			}
			if missed := unproposed(p, row.Keys); missed != nil {
				t.Errorf("%s?%s on %s: no range of Scan has a key: %+v", typ, query, body, missed)
			}
		}
	})
}

func TestStrings(t *testing.T) {
	name := `Patient "name":[{"family":"Alpha-Beta","given":["Café","Müller"],"prefix":["Mr"],"text":"Straße","use":"old"}]`
	check(t, "SRCH-030 folding", name, "given=cafe", "given=CAFÉ", "given=mull", "name=strasse", "!given=afe", "!given=cafes", "name=MÜLLER")
	check(t, "SRCH-030 punctuation and spaces", `Patient "name":[{"family":"O'Brien  de   la Cruz-Smith/Jones."}]`,
		"family=obrien", "family=O’Brien de la", "family=o'brien de la cruz smith jones", "!family=o brien")
	check(t, "SRCH-031 contains", `Patient "address":[{"city":"Severn"}]`, "address-city:contains=eve", "!address-city:contains=evx", "!address-city=eve")
	check(t, "SRCH-031 exact", `Patient "address":[{"city":"Ely"}]`, "address-city:exact=Ely", "!address-city:exact=ely", "!address-city:exact=El")
	check(t, "SRCH-031 exact not longer", `Patient "address":[{"city":"Elyton"}]`, "!address-city:exact=Ely", "address-city=ely")
	check(t, "SRCH-031 canonical composition on both sides", "Patient \"address\":[{\"city\":\"Cafe\u0301\"}]", "address-city:exact=Caf\u00e9", "!address-city:exact=Cafe")
	check(t, "SRCH-033 every part, text too, never use", name, "name=mr", "name=alpha", "!name=old")
	check(t, "SRCH-033 address", `Patient "address":[{"use":"home","line":["1 High Street"],"district":"Kent","period":{"start":"2010"}}]`,
		"address=1 high", "address=kent", "!address=home", "!address=2010", "!address=high street")
	check(t, "SRCH-034 compound family names", name, "family=alpha", "family=beta", "name=beta", "!given=ller", "!family=eta")
	check(t, "SRCH-034 other parts only from their start", `Patient "name":[{"given":["Anna Maria"]}]`, "!given=maria")
	check(t, "SRCH-035 postal codes", `Patient "address":[{"postalCode":"LS1 4AP"}]`,
		"address-postalcode=ls14ap", "address-postalcode=LS1 4", "address=ls1 4ap", "address=ls14", "!address-postalcode=4ap")
	check(t, "SRCH-035 postal codes stored without space", `Patient "address":[{"postalCode":"LS14AP"}]`, "address-postalcode=ls1 4ap")
	check(t, "SRCH-037 text that folds to nothing", `Patient "name":[{"family":"-"}]`, "!family=-", "!family='", "!family:contains=-", "family:exact=-")
	check(t, "SRCH-004 no value", name, "name:exact=", "name=,")
	check(t, "SRCH-016 comma is or", name, "given=x,cafe", "!given=x,y", "given:exact=x,Café")
	check(t, "SRCH-014 an escaped comma is no separator", `Patient "name":[{"text":"a,b"}]`, `name:exact=a\,b`, `!name:exact=a,b`)
	check(t, "SRCH-017 missing", name, "name:missing=false", "!name:missing=true", "address:missing=true", "!address:missing=false")
	check(t, "SRCH-017 only extensions", `Patient "birthDate":"2000","name":[{"extension":[{"url":"u","valueString":"x"}]}],"_gender":{"extension":[{"url":"u","valueCode":"x"}]}`,
		"name:missing=true", "gender:missing=true", "birthdate:missing=false")
	check(t, "SRCH-019 several paths", `InsurancePlan "name":"One","alias":["Two"]`, "name=one", "name=two", "!name=three")
}

func TestLongStrings(t *testing.T) {
	long := strings.Repeat("Wörd ", 20_000) + "end"
	check(t, "SRCH-036", `ValueSet "description":"`+long+`"`,
		"description="+long[:1000], "description:exact="+long, "!description:exact="+long[:len(long)-1], "description:contains=wörd end",
		"!description="+long[:1000]+"x", "!description:contains=ende", "description=word")
	check(t, "SRCH-034, 036 long family name", `Patient "name":[{"family":"`+long+`"}]`, "family="+long[6:1000], "family=end", "!family="+long[6:1000]+"x")
	// The cut at 256 bytes must not fall into a character.
	for i := range 4 {
		s := strings.Repeat("x", 253+i) + "日本語"
		check(t, "SRCH-036 cut in a character", `ValueSet "description":"`+s+`"`, "description="+s, "description="+s[:253+i], "description:exact="+s, "!description="+s+"x")
	}
}

func TestTokens(t *testing.T) {
	check(t, "SRCH-041", `Observation "code":{"coding":[{"system":"http://loinc.org","code":"1-2"},{"code":"bare"},{"system":"http://x","code":"z"}]}`,
		"code=1-2", "code=http://loinc.org|1-2", "!code=|1-2", "code=http://loinc.org|", "!code=http://loinc.or|", "code=|bare", "code=bare", "!code=http://loinc.org|bare", "!code=http://LOINC.org|1-2")
	check(t, "SRCH-042 no cross match", `Observation "code":{"coding":[{"system":"a","code":"1"},{"system":"b","code":"2"}]}`, "!code=a|2", "code=a|1", "code=b|2")
	check(t, "SRCH-043 implied systems", `Patient "gender":"male"`, "gender=male", "gender=http://hl7.org/fhir/administrative-gender|male",
		"!gender=http://x|male", "!gender=|male", "gender=http://hl7.org/fhir/administrative-gender|", "!gender=http://x|")
	check(t, "SRCH-043 of several systems", `Task "intent":"order"`, "intent=order", "intent=http://hl7.org/fhir/request-intent|order", "!intent=http://hl7.org/fhir/task-intent|order", "!intent=|order")
	check(t, "SRCH-044 booleans", `Patient "active":true`, "active=true", "!active=false")
	check(t, "SRCH-045 case", `Patient "identifier":[{"system":"s","value":"AbC"}]`, "identifier=abc", "identifier=s|ABC", "!identifier=S|abc", "identifier=s|", "!identifier=|abc")
	check(t, "SRCH-045 case of FHIR's own systems", `Patient "gender":"male"`, "!gender=MALE")
	check(t, "SRCH-045 case of HL7 terminology", `Condition "clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]}`,
		"clinical-status=active", "!clinical-status=ACTIVE", "!clinical-status=http://terminology.hl7.org/CodeSystem/condition-clinical|Active")
	check(t, "SRCH-045 strings as tokens", `ValueSet "version":"V1a"`, "version=v1A", "version=|v1a", "!version=s|v1a", "!version=v1")
	check(t, "SRCH-046 _id", `Patient "active":true`, "_id=id-1", "!_id=ID-1", "_id=x,id-1", "!_id=a b", "!_id=s|id-1")
	check(t, "SRCH-047 not, case 24", `Patient "active":true`, "gender:not=male", "gender:not=male,female")
	check(t, "SRCH-047 not", `Patient "gender":"male"`, "!gender:not=male", "gender:not=female", "!gender:not=female,male")
	check(t, "SRCH-047 not, case 25", `Composition "section":[{"code":{"coding":[{"code":"A"}]}},{"code":{"coding":[{"code":"B"}]}}]`, "!section:not=A", "section:not=C", "section=B")
	check(t, "SRCH-055 deceased, case 26", `Patient "active":true`, "deceased=false", "!deceased=true", "!deceased:missing=true")
	check(t, "SRCH-055 deceased by date", `Patient "deceasedDateTime":"2010"`, "deceased=true", "!deceased=false", "death-date=2010")
	check(t, "SRCH-014 case 38", `Observation "code":{"coding":[{"code":"a,b"}]}`, `code=a\,b`, "!code=a,b")
	check(t, "SRCH-014 bars", `Observation "code":{"coding":[{"system":"s","code":"a|b$"}]}`, `code=s|a\|b\$`, `code=a\|b\$`)
	check(t, "SRCH-054 telephone numbers", `Patient "telecom":[{"system":"phone","value":"+44 (0)113 496-0000"},{"system":"email","value":"A.B@x.org"}]`,
		"phone=+44 0113 4960000", "phone=+4401134960000", "telecom=+44(0)1134960000", "email=a.b@X.org", "!email=ab@x.org", "!phone=a.b@x.org")
	check(t, "SRCH-150 meta", `Patient "meta":{"tag":[{"system":"t","code":"x"}],"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}],"profile":["http://p/1|2.0"],"source":"http://src#1"}`,
		"_tag=t|x", "_security=R", "!_security=r", "_profile=http://p/1", "_profile=http://p/1|2.0", "!_profile=http://p/1|2", "!_profile=http://p", "_profile:below=http://p",
		"_source=http://src#1", "_tag:missing=false", "_tag:not=y", "_id:missing=false", "_lastUpdated:missing=false")
	check(t, "extension as value", `Patient "extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-extensions-Patient-mothersMaidenName","valueString":"Smith"}]`, "mothersMaidenName=smi")
}

func TestReferences(t *testing.T) {
	obs := `Observation "subject":{"reference":"Patient/1"},"performer":[{"reference":"http://h/fhir/Practitioner/2"},{"reference":"http://other/fhir/Patient/9"}]`
	check(t, "SRCH-100", obs, "subject=Patient/1", "subject=1", "subject=http://h/fhir/Patient/1", "performer=Practitioner/2", "performer=2", "!subject=Group/1", "!subject=2")
	check(t, "SRCH-101", obs, "performer=http://other/fhir/Patient/9", "!performer=Patient/9", "!performer=9")
	check(t, "SRCH-102", obs, "subject:Patient=1", "!subject:Group=1", "subject:Patient=Patient/1", "subject:Patient=http://h/fhir/Patient/1")
	check(t, "SRCH-104", obs, "patient=1", "patient=Patient/1", "!patient=Group/1")
	check(t, "SRCH-104 a group is no patient", `Observation "subject":{"reference":"Group/1"}`, "!patient=Group/1", "!patient=1", "subject=Group/1", "subject=1", "patient:missing=true")
	check(t, "SRCH-105 case 34", `Observation "subject":{"reference":"Patient/1/_history/2"}`,
		"subject=Patient/1", "subject=http://h/fhir/Patient/1", "!subject=http://other/Patient/1", "subject=Patient/1/_history/2", "!subject=Patient/1/_history/3")
	check(t, "SRCH-105 without version", obs, "!subject=Patient/1/_history/1")
	check(t, "SRCH-106 logical references", `Observation "subject":{"identifier":{"system":"s","value":"1"}}`, "!subject=1", "!subject=Patient/1", "subject:missing=false")
	check(t, "SRCH-107 contained", `Observation "subject":{"reference":"#p1"},"contained":[{"resourceType":"Patient","id":"p1"}]`, "!subject=p1", "!subject=Patient/p1", "!subject=#p1")
	check(t, "SRCH-108 canonicals", `QuestionnaireResponse "questionnaire":"http://q/1|3.2"`,
		"questionnaire=http://q/1", "questionnaire=http://q/1|3.2", "!questionnaire=http://q/1|3.1", "!questionnaire=http://q")
	check(t, "SRCH-115 uri", `ValueSet "url":"http://x/Y"`, "url=http://x/Y", "!url=http://x/y", "!url=http://x", "url:below=http://x", "!url:below=http://y")
	check(t, "SRCH-115 not for URNs", `ValueSet "url":"urn:oid:1.2"`, "!url:below=urn:oid:1", "url=urn:oid:1.2")
}

func TestCompares(t *testing.T) {
	check(t, "SRCH-067 case 27", `Observation "effectiveDateTime":"2024-06-30T23:30:00Z"`, "date=2024-07-01", "!date=2024-06-30", "date=2024-07", "!date=2024-06")
	check(t, "SRCH-067 case 28, 25 hours", `Observation "effectiveDateTime":"2024-10-27T23:30:00Z"`, "date=2024-10-27", "!date=2024-10-28")
	check(t, "SRCH-067 case 28, summer time", `Observation "effectiveDateTime":"2024-10-26T23:30:00Z"`, "date=2024-10-27", "!date=2024-10-26")
	check(t, "SRCH-067 a time without zone is local", `Observation "effectiveDateTime":"2024-07-01T10:00:00"`, "date=2024-07-01T09:00:00Z", "date=2024-07-01T10:00:00")
	check(t, "SRCH-061, 062 case 29", `Observation "effectiveDateTime":"2013-01-14"`, "date=lt2013-01-14T10:00", "date=gt2013-01-14T10:00", "!date=eq2013-01-14T10:00", "date=2013-01-14", "date=2013-01", "date=2013", "!date=ne2013")
	check(t, "SRCH-061, 062, 065 case 30", `Encounter "period":{"start":"2013-01-21"}`, "date=ge2013-03-14", "date=le2013-03-14", "!date=sa2013-03-14", "!date=eb2013-03-14", "!date=2013", "date=ne2013", "date=gt9999", "date=sa2012")
	check(t, "SRCH-065 open start", `Encounter "period":{"end":"2013-01-21"}`, "date=lt0001", "date=eb2014", "date=le2013-01-21", "!date=gt2013-01-21", "date=ge2013-01-21")
	check(t, "SRCH-061 ne of what is missing", `Encounter "status":"finished"`, "!date=ne2013", "date:missing=true")
	check(t, "SRCH-062 boundaries", `Observation "effectiveDateTime":"2013-01-14"`, "!date=lt2013-01-14", "!date=gt2013-01-14", "date=le2013-01-14", "date=ge2013-01-14", "date=sa2013-01-13", "date=eb2013-01-15", "!date=sa2013-01-14", "!date=eb2013-01-14")
	check(t, "SRCH-065 instants are a nanosecond wide", `Observation "issued":"2024-01-01T00:00:00Z","effectiveInstant":"2024-01-01T00:00:00Z"`, "date=2024-01-01T00:00:00Z", "date=2024-01-01T00:00:00.000000000Z", "date=2024-01-01T00:00:00.000Z")
	check(t, "SRCH-065 a dateTime spans its precision", `Observation "effectiveDateTime":"2024-01-01T00:00:00Z"`, "!date=2024-01-01T00:00:00.000Z", "date=2024-01-01T00:00Z")
	check(t, "SRCH-065 Timing", `ServiceRequest "occurrenceTiming":{"event":["2024-03-01","2024-01-01"],"repeat":{"boundsPeriod":{"end":"2024-02-01"}}}`, "occurrence=lt2023", "!occurrence=gt2024-03-01", "occurrence=ge2024-03-01")
	check(t, "SRCH-066", `Observation "effectiveDateTime":"2024-07-01T10:00:00+01:00"`, "date=2024-07-01T09:00:00Z", "date=2024-07-01T04:00:00-05:00", "date=2024-07-01T10:00:00 01:00")
	check(t, "SRCH-064 ap", `Observation "effectiveDateTime":"2024-06-01"`, "date=ap2024-06-02", "date=ap2024-06-03", "!date=ap2024-06-20", "date=ap2024-05-29")
	check(t, "SRCH-069 second 60 and far years", `Observation "effectiveDateTime":"2016-12-31T23:59:60Z"`, "date=2016-12-31", "!date=2017", "date=gt0001-01-01", "date=lt9999-12-31")
	check(t, "SRCH-069 year 0001", `Patient "birthDate":"0001"`, "birthdate=0001", "birthdate=lt0002", "!birthdate=gt0001")
	check(t, "SRCH-070 _lastUpdated", `Patient "active":true`, "_lastUpdated=2024-07-01T12:00:00.000Z", "_lastUpdated=2024-07-01", "_lastUpdated=gt2024-07-01T11:59:59.999Z", "!_lastUpdated=gt2024-07-01T12:00:00.000Z", "_lastUpdated=ge2024-07-01T12:00:00Z")

	check(t, "SRCH-080, 082 case 31", `RiskAssessment "prediction":[{"probabilityDecimal":0.84}]`, "probability=0.8", "!probability=0.80", "probability=gt0.8", "probability=0.84", "!probability=lt0.84", "probability=le0.84", "probability=ne0.80")
	check(t, "SRCH-080 half a unit", `Observation "valueQuantity":{"value":99.5}`, "value-quantity=100", "!value-quantity=100.00", "!value-quantity=99", "value-quantity=lt100", "value-quantity=1e2", "value-quantity=1.00e2", "!value-quantity=99.6")
	check(t, "SRCH-080 upper half", `Observation "valueQuantity":{"value":100.5}`, "!value-quantity=100", "value-quantity=101", "value-quantity=1e2")
	check(t, "SRCH-080 1e2", `Observation "valueQuantity":{"value":105}`, "!value-quantity=1e2", "value-quantity=1.0e2,105")
	check(t, "SRCH-080 negative", `Observation "valueQuantity":{"value":-100.5}`, "value-quantity=-100", "value-quantity=lt-100", "!value-quantity=gt-100", "value-quantity=lt0")
	check(t, "SRCH-080 5.40e-3", `Observation "valueQuantity":{"value":0.005404}`, "value-quantity=5.40e-3", "!value-quantity=5.400e-3")
	check(t, "SRCH-082 ne", `Observation "valueQuantity":{"value":100}`, "!value-quantity=ne100", "value-quantity=ne101")
	check(t, "SRCH-083 integers", `MolecularSequence "variant":[{"start":2}]`, "variant-start=2", "variant-start=2.0", "!variant-start=2.5", "!variant-start=1.5", "variant-start=gt1.5", "variant-start=ne2.5", "!variant-start=ne2.0")
	check(t, "SRCH-084 no binary floats", `Observation "valueQuantity":{"value":0.30}`, "value-quantity=le0.3", "!value-quantity=lt0.3", "!value-quantity=gt0.30000000000000001")
	check(t, "SRCH-084 more digits than a key", `Observation "valueQuantity":{"value":1.00000000000000000000000000000000000000001}`,
		"value-quantity=1.00000000000000000000000000000000000000001", "value-quantity=gt1", "value-quantity=1", "!value-quantity=lt1")
	check(t, "SRCH-084 great exponents", `Observation "valueQuantity":{"value":1e400}`, "value-quantity=1e400", "value-quantity=gt1e399", "!value-quantity=gt1e401")
	check(t, "SRCH-085", `Observation "valueQuantity":{"value":91}`, "value-quantity=ap100", "!value-quantity=ap102")
	check(t, "SRCH-085 upper", `Observation "valueQuantity":{"value":109}`, "value-quantity=ap100", "!value-quantity=ap99")
	q := `Observation "valueQuantity":{"value":5.4,"system":"http://unitsofmeasure.org","code":"mg","unit":"milligram"}`
	check(t, "SRCH-086", q, "value-quantity=5.4|http://unitsofmeasure.org|mg", "value-quantity=5.4||mg", "value-quantity=5.4||milligram", "value-quantity=5.4", "value-quantity=5.4|http://unitsofmeasure.org|",
		"!value-quantity=5.4|http://x|mg", "!value-quantity=5.4||g", "!value-quantity=5.4|http://x|", "value-quantity=gt5|http://unitsofmeasure.org|mg", "!value-quantity=gt6||mg", "!value-quantity=5.4||MG", "value-quantity=5.4||")
	u := "http://unitsofmeasure.org"
	check(t, "SRCH-087 case 32", `Observation "valueQuantity":{"value":0.0054,"system":"`+u+`","code":"g"}`,
		"value-quantity=5.4|"+u+"|mg", "!value-quantity=5.4||mg", "value-quantity=0.0054||g", "value-quantity=0.0054|"+u+"|", "value-quantity=5|"+u+"|mg", "!value-quantity=5.40|"+u+"|g",
		"value-quantity=gt5.3|"+u+"|mg", "!value-quantity=gt5.4|"+u+"|mg", "value-quantity=ge5.4|"+u+"|mg", "value-quantity=sa5300|"+u+"|ug", "!value-quantity=5.4|"+u+"|mL", "!value-quantity=5.4|"+u+"|furlong", "!value-quantity=5.4|http://x|mg", "value-quantity=ne5.4|"+u+"|g", "!value-quantity=ne5.4|"+u+"|mg")
	check(t, "SRCH-087 value and range convert together", `Observation "valueQuantity":{"value":98.6,"system":"`+u+`","code":"[degF]"}`,
		"value-quantity=37|"+u+"|Cel", "value-quantity=37.0|"+u+"|Cel", "value-quantity=310.15|"+u+"|K", "!value-quantity=37.1|"+u+"|Cel", "value-quantity=36.97|"+u+"|Cel,37.000|"+u+"|Cel", "value-quantity=ap40|"+u+"|Cel", "!value-quantity=gt37|"+u+"|Cel", "!value-quantity=lt37|"+u+"|Cel")
	check(t, "SRCH-087 a unit that falls", `Observation "valueQuantity":{"value":7.4,"system":"`+u+`","code":"[pH]"}`,
		"value-quantity=7.4|"+u+"|[pH]", "value-quantity=7|"+u+"|[pH]", "!value-quantity=8|"+u+"|[pH]", "value-quantity=gt7.3|"+u+"|[pH]", "!value-quantity=lt7.3|"+u+"|[pH]", "!value-quantity=gt7.4|"+u+"|[pH]", "value-quantity=ge7.4|"+u+"|[pH]", "value-quantity=le7.4|"+u+"|[pH]",
		"value-quantity=39.8|"+u+"|nmol/L", "value-quantity=lt40|"+u+"|nmol/L", "value-quantity=ap7|"+u+"|[pH]", "!value-quantity=ap6|"+u+"|[pH]", "value-quantity=sa7|"+u+"|[pH]", "value-quantity=eb8|"+u+"|[pH]", "value-quantity=ne7.3|"+u+"|[pH]", "!value-quantity=ne7.4|"+u+"|[pH]")
	check(t, "SRCH-080 the ends of a range that falls", `Observation "valueQuantity":{"value":7.35,"system":"`+u+`","code":"[pH]"}`, "value-quantity=7.4|"+u+"|[pH]", "!value-quantity=7.3|"+u+"|[pH]")
	check(t, "SRCH-080 the ends of a range that is rounded", `Observation "valueQuantity":{"value":2.5,"system":"`+u+`","code":"[Ch]"}`, "value-quantity=3|"+u+"|[Ch]", "!value-quantity=2|"+u+"|[Ch]", "value-quantity=2.5|"+u+"|[Ch]", "!value-quantity=lt2.5|"+u+"|[Ch]", "!value-quantity=gt2.5|"+u+"|[Ch]", "!value-quantity=ne2.5|"+u+"|[Ch]")
	check(t, "SRCH-087 comparators convert", `Observation "valueQuantity":{"value":5,"comparator":"<","system":"`+u+`","code":"mg"}`, "value-quantity=lt0.005|"+u+"|g", "!value-quantity=gt0.005|"+u+"|g", "value-quantity=eb6000|"+u+"|ug")
	check(t, "SRCH-087 comparators that fall", `Observation "valueQuantity":{"value":5,"comparator":"<","system":"`+u+`","code":"[pH]"}`, "value-quantity=lt5|"+u+"|[pH]", "!value-quantity=gt5|"+u+"|[pH]", "value-quantity=eb6|"+u+"|[pH]", "value-quantity=gt10|"+u+"|umol/L")
	check(t, "SRCH-087 ranges convert", `Condition "onsetRange":{"low":{"value":18,"system":"`+u+`","code":"mo"},"high":{"value":2,"system":"`+u+`","code":"a"}}`,
		"onset-age=gt20|"+u+"|mo", "!onset-age=gt24|"+u+"|mo", "onset-age=sa1|"+u+"|a", "onset-age=2e0|"+u+"|a,ap20|"+u+"|mo", "!onset-age=lt1.5|"+u+"|a")
	check(t, "SRCH-087 arbitrary units only with themselves", `Observation "valueQuantity":{"value":5,"system":"`+u+`","code":"[iU]/L"}`, "value-quantity=5|"+u+"|m[IU]/mL", "!value-quantity=5|"+u+"|/L", "!value-quantity=5|"+u+"|[CFU]/L", "!value-quantity=5|"+u+"|U/L")
	check(t, "SRCH-087 unknown units literally", `Observation "valueQuantity":{"value":5,"system":"`+u+`","code":"(score)"}`, "value-quantity=5|"+u+"|(score)", "!value-quantity=5|"+u+"|(SCORE)", "!value-quantity=5|"+u+"|{score}", "value-quantity=gt4|"+u+"|(score)", "value-quantity=5||(score)")
	check(t, "SRCH-087 other systems literally", `Observation "valueQuantity":{"value":5,"system":"http://snomed.info/sct","code":"258682000"}`, "value-quantity=5|http://snomed.info/sct|258682000", "!value-quantity=5000|http://snomed.info/sct|258682000")
	check(t, "SRCH-087 exponents without end", `Observation "valueQuantity":{"value":1e999999,"system":"`+u+`","code":"mg"}`, "value-quantity=gt1e999995|"+u+"|g", "!value-quantity=gt1e999996|"+u+"|g", "value-quantity=1e999999|"+u+"|mg")
	check(t, "SRCH-087 values beyond a special unit", `Observation "valueQuantity":{"value":1e999999,"system":"`+u+`","code":"Cel"}`, "value-quantity=gt1e300|"+u+"|K", "!value-quantity=lt1e300|"+u+"|K")
	check(t, "SRCH-086 unit and number of one value", `Observation "component":[{"valueQuantity":{"value":1,"unit":"a"}},{"valueQuantity":{"value":2,"unit":"b"}}]`, "!component-value-quantity=1||b", "component-value-quantity=2||b")
	check(t, "SRCH-088 comparators", `Observation "valueQuantity":{"value":5,"comparator":"<"}`, "value-quantity=lt5", "!value-quantity=gt5", "value-quantity=le5", "!value-quantity=5", "value-quantity=ne5", "value-quantity=lt-100", "value-quantity=eb6", "!value-quantity=sa1")
	check(t, "SRCH-088 greater", `Observation "valueQuantity":{"value":5,"comparator":">="}`, "value-quantity=gt5", "value-quantity=ge5", "!value-quantity=lt5", "value-quantity=sa4", "value-quantity=gt1e9")
	check(t, "SRCH-088 ranges", `Condition "onsetRange":{"low":{"value":10,"unit":"a"},"high":{"value":20,"unit":"a"}}`, "onset-age=gt15", "onset-age=lt15", "!onset-age=15", "!onset-age=gt20", "onset-age=ge20", "onset-age=lt11", "!onset-age=lt10", "onset-age=sa9", "onset-age=eb21", "onset-age=ap15", "onset-age=2e1||a,gt15||a")
	check(t, "SRCH-088 both ends inside", `Condition "onsetRange":{"low":{"value":14.6},"high":{"value":15.4}}`, "onset-age=15", "!onset-age=15.0")
	check(t, "SRCH-089 Money", `Invoice "totalNet":{"value":12.5,"currency":"GBP"}`, "totalnet=12.5||GBP", "totalnet=gt12", "totalnet=12.5|urn:iso:std:iso:4217|GBP", "!totalnet=12.5||EUR")
	check(t, "SRCH-089 Duration", `Encounter "length":{"value":3,"unit":"h"}`, "length=3||h", "length=lt4")
	check(t, "sampled data, by its bounds", `Observation "valueSampledData":{"origin":{"value":10,"unit":"mV"},"period":1,"factor":0.5,"dimensions":1,"data":"-4 E 6 2"}`, "value-quantity=ge13||mV", "!value-quantity=gt13", "value-quantity=lt9", "!value-quantity=lt8")
}

func TestRefuses(t *testing.T) {
	x := newIndexer(t)
	for _, c := range []struct{ name, typ, query, code string }{
		{"SRCH-007 unknown", "Patient", "nome=x", "not-found"},
		{"SRCH-010 names are case sensitive", "Observation", "Patient=1", "not-found"},
		{"SRCH-009 case 37", "Patient", "name:foo=x", "not-supported"},
		{"SRCH-009 NotAType", "Observation", "subject:NotAType=1", "not-supported"},
		{"SRCH-009 no target", "Observation", "subject:Medication=1", "not-supported"},
		{"SRCH-009 exact on a token", "Patient", "gender:exact=x", "not-supported"},
		{"SRCH-009 modifier on a date", "Patient", "birthdate:exact=2000", "not-supported"},
		{"SRCH-051 not built", "Observation", "code:in=http://x", "not-supported"},
		{"SRCH-120 one part", "Observation", "code-value-quantity=a", "value"},
		{"SRCH-120 three parts", "Observation", "code-value-quantity=a$1$2", "value"},
		{"SRCH-120 a part without value", "Observation", "code-value-quantity=a$", "value"},
		{"SRCH-120 the rules of the parts", "Observation", "code-value-quantity=a$b", "value"},
		{"SRCH-120 the rules of the parts in a second tuple", "Observation", "combo-code-value-quantity=a$1,a$b", "value"},
		{"SRCH-120 modifiers", "Observation", "code-value-quantity:not=a$1", "not-supported"},
		{"SRCH-017, SRCH-120 missing", "Observation", "code-value-quantity:missing=true", "not-supported"},
		{"SRCH-120 three parts are wanted", "MolecularSequence", "chromosome-variant-coordinate=1$2", "value"},
		{"SRCH-125 one coordinate", "Location", "near=1", "value"},
		{"SRCH-125 no number", "Location", "near=1|x", "value"},
		{"SRCH-125 beyond the pole", "Location", "near=90.1|0", "value"},
		{"SRCH-125 beyond the meridian", "Location", "near=0|-180.1", "value"},
		{"SRCH-125 no number that floats have", "Location", "near=0x1|0", "value"},
		{"SRCH-125 not finite", "Location", "near=inf|0", "value"},
		{"SRCH-125 negative distance", "Location", "near=1|2|-3|km", "value"},
		{"SRCH-125 no distance", "Location", "near=1|2|far|km", "value"},
		{"SRCH-125 no unit of length", "Location", "near=1|2|3|kg", "value"},
		{"SRCH-125 no unit", "Location", "near=1|2|3|miles", "value"},
		{"SRCH-125 more parts", "Location", "near=1|2|3|km|5", "value"},
		{"SRCH-009 near takes no modifiers", "Location", "near:exact=1|2", "not-supported"},
		{"SRCH-038", "Patient", "phonetic=x", "not-supported"},
		{"SRCH-017 two values", "Patient", "name:missing=true,false", "value"},
		{"SRCH-017 no boolean", "Patient", "name:missing=yes", "value"},
		{"SRCH-044 boolean with a bar", "Patient", "active=|true", "value"},
		{"SRCH-044 no boolean", "Patient", "active=yes", "value"},
		{"SRCH-044 contact with a bar", "Patient", "telecom=phone|1", "value"},
		{"SRCH-041 three parts", "Observation", "code=a|b|c", "value"},
		{"SRCH-041 a bar alone", "Observation", "code=|", "value"},
		{"SRCH-060 an hour needs minutes", "Patient", "birthdate=2000-01-01T10", "value"},
		{"SRCH-060 days must exist", "Patient", "birthdate=2001-02-29", "value"},
		{"SRCH-060 months", "Patient", "birthdate=2001-13", "value"},
		{"SRCH-060 year 0", "Patient", "birthdate=0000", "value"},
		{"SRCH-060 no date", "Patient", "birthdate=yesterday", "value"},
		{"SRCH-060 zone", "Patient", "birthdate=2000-01-01T10:00+1", "value"},
		{"SRCH-060 unknown prefix", "Patient", "birthdate=xx2000", "value"},
		{"SRCH-060 prefix alone", "Patient", "birthdate=ge", "value"},
		{"SRCH-005 no number", "RiskAssessment", "probability=high", "value"},
		{"SRCH-005 number with more", "RiskAssessment", "probability=1||x", "value"},
		{"SRCH-086 two parts", "Observation", "value-quantity=1|mg", "value"},
		{"SRCH-086 no number", "Observation", "value-quantity=|s|mg", "value"},
		{"SRCH-102 another type", "Observation", "subject:Patient=Group/1", "value"},
		{"SRCH-102 foreign", "Observation", "subject:Patient=http://other/Patient/1", "value"},
		{"SRCH-005 U+0000", "Observation", "value-quantity=1|s\x00x|", "value"},
		{"no resource type", "Nothing", "x=y", "not-supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := x.Predicate(parse(t, c.typ, c.query))
			var e *index.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Text == "" {
				t.Errorf("%s?%s: got %#v, %v; want an error %s", c.typ, c.query, p, err, c.code)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	for _, raw := range []string{`a\b`, `a\`, `a\:b`} {
		if got, err := index.Split(raw, ','); err == nil {
			t.Errorf("SRCH-014 %q: got %q, want an error", raw, got)
		}
		if got, err := index.Unescape(raw); err == nil {
			t.Errorf("SRCH-014 %q: got %q, want an error", raw, got)
		}
	}
	parts, err := index.Split(`a\,b,c\|d\\,`, ',')
	if err != nil || strings.Join(parts, ";") != `a\,b;c\|d\\;` {
		t.Errorf("got %q, %v", parts, err)
	}
	if got, err := index.Unescape(parts[1]); got != `c|d\` || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
