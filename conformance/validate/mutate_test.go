package validate_test

import (
	"bytes"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"carerecord/conformance/validate"
	"carerecord/fhir"
	"carerecord/fhir/r4"
	"carerecord/fhir/r4/r4test"
)

// site is a member of an object, or a value in an array, of a compact body.
type site struct {
	key      [2]int // offsets of the quoted name; empty in an array
	value    [2]int
	owner    *r4.Type
	name     string
	required bool // the element is mandatory, and has no twin
}

// surveyor collects the sites of a body.
type surveyor struct {
	body  []byte
	dec   *jsontext.Decoder
	sites []site
}

func survey(body []byte) []site {
	s := &surveyor{body: body, dec: jsontext.NewDecoder(bytes.NewReader(body))}
	s.value(nil, "Resource")
	return s.sites
}

// value reads a value of a type. The type of a Resource is read from the body.
func (s *surveyor) value(t *r4.Type, name string) {
	switch s.dec.PeekKind() {
	case '{':
		if name == "Resource" {
			t = r4.TypeOf(gjson.GetBytes(s.body[s.start():], "resourceType").Str)
		}
		s.object(t)
	case '[':
		s.token()
		for s.dec.PeekKind() != ']' {
			at := s.start()
			s.value(t, name)
			s.sites = append(s.sites, site{value: [2]int{at, s.offset()}})
		}
		s.token()
	default:
		s.token()
	}
}

func (s *surveyor) object(t *r4.Type) {
	from := s.start()
	s.token()
	for s.dec.PeekKind() != '}' {
		at := s.start()
		name := s.token()
		m := site{key: [2]int{at, s.offset()}, owner: t, name: name}
		p, _ := t.Property(strings.TrimPrefix(name, "_"))
		of, typ := p.Of, p.Type
		if strings.HasPrefix(name, "_") {
			of, typ = r4.TypeOf("Element"), "Element"
		}
		m.value[0] = s.start()
		s.value(of, typ)
		m.value[1] = s.offset()
		twin := "_" + name
		if strings.HasPrefix(name, "_") {
			twin = name[1:]
		}
		m.required = name == "resourceType" || p.Element != nil && p.Element.Min > 0 && !gjson.GetBytes(s.body[from:], twin).Exists()
		s.sites = append(s.sites, m)
	}
	s.token()
}

func (s *surveyor) token() string {
	tok, err := s.dec.ReadToken()
	if err != nil {
		panic(err)
	}
	return tok.String()
}

func (s *surveyor) offset() int { return int(s.dec.InputOffset()) }

// start returns the offset of the next value or name.
func (s *surveyor) start() int {
	s.dec.PeekKind()
	at := s.offset()
	for at < len(s.body) && (s.body[at] == ',' || s.body[at] == ':') {
		at++
	}
	return at
}

// mutate breaks a body at a random site. It returns the result, which must be refused, and a description.
func mutate(rnd *rand.Rand, body []byte, sites []site) ([]byte, string) {
	for {
		m := sites[rnd.IntN(len(sites))]
		old := body[m.value[0]:m.value[1]]
		put := func(at [2]int, text string) []byte {
			return slices.Concat(body[:at[0]], []byte(text), body[at[1]:])
		}
		member := m.key[1] > 0
		switch how := rnd.IntN(6); {
		case how == 0 && member:
			return put(m.key, `"`+m.name+`Zz"`), "rename " + m.name
		case how == 1 && m.required:
			from, to := m.key[0], m.value[1]
			if body[to] == ',' {
				to++
			} else if body[from-1] == ',' {
				from--
			}
			return slices.Concat(body[:from], body[to:]), "drop " + m.name
		case how == 2:
			return put(m.value, "["+string(old)+"]"), "wrap " + m.name
		case how == 3 && old[0] == '[':
			return put(m.value, gjson.ParseBytes(old).Get("0").Raw), "unwrap " + m.name
		case how == 4 && old[0] == '"':
			return put(m.value, "1"), "number in " + m.name
		case how == 4 && old[0] != '{' && old[0] != '[' && old[0] != 'n':
			return put(m.value, `"`+string(old)+`"`), "quotes in " + m.name
		case how == 4 && old[0] == '{':
			return put(m.value, `"x"`), "string in " + m.name
		case how == 5 && member && m.name != "resourceType":
			return put(m.value, "null"), "null in " + m.name
		}
	}
}

// TestMutations: valid examples of the standard, each broken in several ways, are refused in strict mode.
// Lenient mode refuses all of them except those with a missing element.
func TestMutations(t *testing.T) {
	const ways = 12
	files, mutations := 0, 0
	eachJSON(r4test.Files(t), func(name string, body []byte) {
		if len(body) > 24<<10 || len(issuesOf(body)) > 0 {
			return
		}
		seed := crc32.ChecksumIEEE([]byte(name))
		if raceDetector && seed%20 > 0 {
			return // one of twenty files is enough to find races
		}
		r, err := fhir.Parse(body)
		if err != nil {
			t.Fatal(err)
		}
		files++
		rnd := rand.New(rand.NewPCG(uint64(seed), 1))
		for sites := survey(r.Body); mutations < files*ways; mutations++ {
			broken, how := mutate(rnd, r.Body, sites)
			if validate.Refused(validate.Resource(broken, validate.Strict)) == nil {
				t.Errorf("%s: accepted after: %s", name, how)
			}
			if !strings.HasPrefix(how, "drop") && validate.Refused(validate.Resource(broken, validate.Lenient)) == nil {
				t.Errorf("%s: accepted when lenient after: %s", name, how)
			}
		}
	})
	t.Logf("%d files, %d mutations", files, mutations)
}

// FuzzResource: every body has a bounded result, which is the same in a second run.
func FuzzResource(f *testing.F) {
	for _, seed := range []string{
		`{"resourceType":"Patient","id":"a","name":[{"given":["A",null],"_given":[null,{"id":"x","extension":[{"url":"u","valueCode":"c"}]}]}],"deceasedBoolean":false}`,
		`{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}]}`,
		`{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.0e-3},"effectiveDateTime":"2024-02-29T10:00:00+01:00"}`,
		`{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a<br/>&#x41;<!-- b --></div>"}}`,
		`{"\u0072esourceType":"Condition","clinicalStatus":{"coding":[{"system":"a","code":"b"}]} , "subject" : {} }`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		first := validate.Resource(body, validate.Strict)
		if second := validate.Resource(body, validate.Strict); !slices.Equal(first, second) {
			t.Errorf("got %v, then %v", first, second)
		}
		if len(first) > fhir.MaxIssues {
			t.Errorf("got %d issues", len(first))
		}
		lenient := validate.Resource(body, validate.Lenient)
		if len(first) == 0 && len(lenient) > 0 {
			t.Errorf("strict mode accepts the body, lenient mode reports %v", lenient)
		}
		validate.Envelope(body, validate.Lenient)
	})
}
