package authorize

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"carerecord/fhir"
	"carerecord/interop/pages"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/record"
)

// denied returns the refusal of a person or of the policy (SMART-089).
func denied(cause string) *oauth.Error {
	return oauth.Refuse(oauth.AccessDenied, "Access was denied.").Because("%s", cause)
}

// maxFamily is the longest family name of a search in bytes.
const maxFamily = 100

// readSearch reads the form of the patient search: an NHS number, or a family name with a birth date (SMART-144). page gets the
// values and the problem, if there is one. A wildcard does not exist: letters are searched as they are.
func readSearch(form url.Values, page *pages.PatientSearch) record.Criteria {
	get := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	page.Number, page.Family, page.Day, page.Month, page.Year = get("number"), get("family"), get("day"), get("month"), get("year")
	dated := page.Day+page.Month+page.Year != ""
	switch {
	case page.Number != "":
		number, ok := fhir.CleanNHSNumber(page.Number)
		switch {
		case !ok:
			page.Problem = pages.SearchNumber
		case !fhir.ValidNHSNumber(number):
			page.Problem = pages.SearchCheckDigit
		}
		return record.Criteria{Number: number}
	case page.Family == "" && !dated:
		page.Problem = pages.SearchEmpty
		return record.Criteria{}
	case page.Family == "" || len(page.Family) > maxFamily:
		page.Problem = pages.SearchFamily
		return record.Criteria{}
	}
	date, ok := dateOf(page.Year, page.Month, page.Day)
	if !ok {
		page.Problem = pages.SearchBirthDate
	}
	return record.Criteria{Family: page.Family, BirthDate: date}
}

// dateOf returns a full date that exists.
func dateOf(year, month, day string) (string, bool) {
	var n [3]int
	for i, text := range []string{year, month, day} {
		v, err := strconv.Atoi(text)
		if err != nil || v < 1 || v > 9999 {
			return "", false
		}
		n[i] = v
	}
	at := time.Date(n[0], time.Month(n[1]), n[2], 0, 0, 0, 0, time.UTC)
	if at.Year() != n[0] || int(at.Month()) != n[1] || at.Day() != n[2] || n[0] < 1850 {
		return "", false
	}
	return fmt.Sprintf("%04d-%02d-%02d", n[0], n[1], n[2]), true
}
