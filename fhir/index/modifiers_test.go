package index_test

import (
	"errors"
	"testing"

	"carerecord/fhir/index"
)

func TestModifiers(t *testing.T) {
	check(t, "SRCH-049 :text runs the string rules on text and display",
		`Observation "code":{"coding":[{"system":"http://s","code":"a","display":"Headache, severe"}],"text":"Kopfschmerz"}`,
		"code:text=head", "code:text=HEADACHE severe", "code:text=kopf", "!code:text=ache", "!code:text=a,b", "!code:text=-")
	check(t, "SRCH-049 :text on the type of an identifier",
		`Patient "identifier":[{"type":{"text":"Hospital number"},"value":"7"}]`, "identifier:text=hospital", "!identifier:text=7")
	check(t, "SRCH-050 :of-type wants type and value in one identifier",
		`Patient "identifier":[{"type":{"coding":[{"system":"http://t","code":"MR"}]},"system":"http://s","value":"Ab1"},{"type":{"coding":[{"system":"http://t","code":"SS"}]},"value":"2"}]`,
		"identifier:of-type=http://t|MR|ab1", "!identifier:of-type=http://t|MR|2", "!identifier:of-type=http://t|SS|Ab1", "identifier:of-type=http://t|SS|2")
	check(t, "SRCH-106 :identifier is Reference.identifier alone",
		`Observation "subject":{"identifier":{"system":"http://s","value":"N1"}},"performer":[{"reference":"Practitioner/1"}]`,
		"subject:identifier=http://s|n1", "subject:identifier=N1", "subject:identifier=http://s|", "!subject:identifier=|N1", "!subject=N1", "!performer:identifier=1", "!subject:identifier=http://t|N1")
	check(t, "SRCH-115 :above and :below on uri",
		`ValueSet "url":"http://a/b","meta":{"source":"http://x/y"}`,
		"_source:above=http://x/y/z", "_source:above=http://x/y", "!_source:above=http://x", "_source:below=http://x", "!_source:below=http://x/y/z", "!_source:above=urn:x", "_source=http://x/y")
	check(t, "SRCH-053 :below on media types leaves their parameters out",
		`DocumentReference "content":[{"attachment":{"contentType":"Text/XML; charset=UTF-8"}}]`,
		"contenttype:below=text/xml", "contenttype:below=urn:ietf:bcp:13|text/xml", "!contenttype:below=text/x", "!contenttype=text/xml", "!contenttype:below=http://x|text/xml")
	for _, q := range []string{"identifier:of-type=http://t|MR", "identifier:of-type=|MR|1", "identifier:of-type=a|b|c|d"} {
		refuse(t, "Patient", q, "value")
	}
	refuse(t, "Patient", "active:of-type=a|b|c", "not-supported")
	refuse(t, "Patient", "active:text=a", "not-supported")
	refuse(t, "Observation", "code:identifier=a", "not-supported")
	refuse(t, "Observation", "code:in=http://v", "not-supported") // by InCodes only
	refuse(t, "DocumentReference", "contenttype:below=urn:ietf:bcp:13|", "value")
}

// refuse asks what must be an error.
func refuse(t *testing.T, typ, query, code string) {
	t.Helper()
	_, err := newIndexer(t).Predicate(parse(t, typ, query))
	var e *index.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s?%s: got %v, want %s", typ, query, err, code)
	}
}
