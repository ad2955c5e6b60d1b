package facts

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent/policy"
	"carerecord/fhir"
)

// PersonState says who a Patient is, and why (IDN-102 to 106).
type PersonState struct {
	// Number is the name of the national number that makes the Patient joined: the person key.
	// Empty for a Patient who is not joined, whose person key is its own id.
	Number string
	// Contradicted: a number counts but is not believed. The Patient is visible to its source alone.
	Contradicted bool
	// Reason is why a Patient is not joined or is contradicted; empty for one who is joined.
	Reason PersonReason
}

// PersonReason is why a Patient is not joined, or is contradicted.
type PersonReason string

// The reasons.
const (
	NoPolicy      PersonReason = "the region has no identity policy"
	NoNumber      PersonReason = "it has no valid national number in use"
	NotTraced     PersonReason = "its source does not trace national numbers"
	NotVerified   PersonReason = "the verification status of its number is not 01"
	TwoNumbers    PersonReason = "it has two counting numbers of one system"
	OtherBirthday PersonReason = "the patient index has another birth date for its number"
)

// indexKnowledge is what the patient index knows. Numbers are names.
type indexKnowledge interface {
	// birthDate returns the birth date of the Patient of a number, and whether there is such a Patient.
	birthDate(number string) (birthDate string, found bool, err error)
	// supersedes reports whether a number supersedes another one (IDN-134).
	supersedes(current, old string) (bool, error)
}

// personOf decides who a Patient is. The result depends on the arguments alone. of is asked about counting numbers of
// Patients of other sources than the patient index.
func personOf(i *policy.Identity, body []byte, source string, at time.Time, of indexKnowledge) (PersonState, error) {
	if i == nil {
		return PersonState{Reason: NoPolicy}, nil
	}
	counting, reason := countingNumbers(i, body, source, at)
	if len(counting) == 0 {
		return PersonState{Reason: reason}, nil
	}
	asks := i.Index != "" && !i.IsIndex(source)
	if !asks {
		of = nil
	}
	number, err := numberInForce(counting, of)
	if err != nil {
		return PersonState{}, err
	}
	if number == "" { // IDN-105
		return PersonState{Contradicted: true, Reason: TwoNumbers}, nil
	}
	if asks { // IDN-104
		birthDate, found, err := of.birthDate(number)
		if err != nil {
			return PersonState{}, err
		}
		if found && !SameDate(birthDate, gjson.GetBytes(body, "birthDate").Str) {
			return PersonState{Contradicted: true, Reason: OtherBirthday}, nil
		}
	}
	return PersonState{Number: number}, nil
}

// numberInForce returns the number of the first system by which a Patient with some counting numbers is joined. If there are
// several numbers of one system, one of them must supersede each of the others, directly or through others of them (IDN-105);
// else, and with of nil, the result is empty.
func numberInForce(counting []nationalNumber, of indexKnowledge) (string, error) {
	number := ""
	for len(counting) > 0 {
		same := 1 // how many are of the same system; they are sorted
		for same < len(counting) && counting[same].system == counting[0].system {
			same++
		}
		last, err := lastOf(counting[:same], of)
		if err != nil || last == "" {
			return "", err
		}
		number = cmp.Or(number, last)
		counting = counting[same:]
	}
	return number, nil
}

// lastOf returns the one of some numbers that supersedes each of the others, directly or through others; empty for none, and
// for several in a circle.
func lastOf(numbers []nationalNumber, of indexKnowledge) (string, error) {
	if len(numbers) == 1 {
		return numbers[0].name, nil
	}
	if of == nil {
		return "", nil
	}
	found := ""
	for _, last := range numbers {
		reached := []string{last.name} // last, and those that it supersedes
		for n := 0; n < len(reached); n++ {
			for _, old := range numbers {
				if slices.Contains(reached, old.name) {
					continue
				}
				is, err := of.supersedes(reached[n], old.name)
				if err != nil {
					return "", err
				}
				if is {
					reached = append(reached, old.name)
				}
			}
		}
		if len(reached) == len(numbers) {
			if found != "" {
				return "", nil
			}
			found = last.name
		}
	}
	return found, nil
}

// nationalNumber is a national number by its name, with its system.
type nationalNumber struct{ system, name string }

// nationalName returns the name of the national number in an Identifier (IDN-102). ok is false unless the
// system is a configured one, spelt exactly, and the value passes its check; digits may be separated by blanks
// or hyphens.
func nationalName(i *policy.Identity, system, value string) (name string, ok bool) {
	digits, ok := fhir.CleanNHSNumber(value)
	if !ok || !i.Valid(system, digits) {
		return "", false
	}
	return IdentifierName(system, digits), true
}

// countingNumbers returns the numbers of a Patient that count (IDN-102, 103), in the order of the systems of the
// policy, each once, or the reason why there is none.
func countingNumbers(i *policy.Identity, body []byte, source string, at time.Time) ([]nationalNumber, PersonReason) {
	var out []nationalNumber
	reason := NoNumber
	//law:number-source
	for _, id := range gjson.GetBytes(body, "identifier").Array() {
		system := id.Get("system").Str
		name, ok := nationalName(i, system, id.Get("value").Str)
		switch {
		case !ok || !inUse(id, at):
		case !i.Traces(source):
			reason = NotTraced
		case !i.IsIndex(source) && !verified(id):
			reason = NotVerified
		default:
			if n := (nationalNumber{system, name}); !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	order := func(system string) int {
		return slices.IndexFunc(i.Systems, func(s policy.NumberSystem) bool { return s.System == system })
	}
	slices.SortFunc(out, func(a, b nationalNumber) int {
		if c := order(a.system) - order(b.system); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	return out, reason
}

// verified reports whether an Identifier has no verification status, or one that says that the number is present
// and verified (IDN-103).
func verified(id gjson.Result) bool {
	for _, e := range id.Get("extension").Array() {
		if !strings.Contains(e.Get("url").Str, "NHSNumberVerificationStatus") { // of UK Core or CareConnect
			continue
		}
		codings := e.Get("valueCodeableConcept.coding").Array()
		if len(codings) == 0 {
			return false
		}
		for _, c := range codings {
			if code := c.Get("code").Str; code != "01" && code != "number-present-and-verified" {
				return false
			}
		}
	}
	return true
}

// inUse reports whether an Identifier is in use at an instant: it is not marked as old, and its period contains
// the instant (IDN-102). A date contains all of its day, month or year.
func inUse(id gjson.Result, at time.Time) bool {
	start, end := id.Get("period.start").Str, id.Get("period.end").Str
	return id.Get("use").Str != "old" && (start == "" || compareInstant(at, start) >= 0) && (end == "" || compareInstant(at, end) <= 0)
}

// compareInstant compares an instant with a FHIR dateTime: 0 within its precision.
func compareInstant(at time.Time, dateTime string) int {
	if exact, err := time.Parse(time.RFC3339, dateTime); err == nil {
		return at.Truncate(time.Second).Compare(exact.Truncate(time.Second))
	}
	text := at.UTC().Format(time.RFC3339)
	return strings.Compare(text[:min(len(dateTime), len(text))], dateTime)
}

// SameDate reports whether two FHIR dates may be the same day: one is a prefix of the other, or one is missing
// (IDN-104).
func SameDate(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
