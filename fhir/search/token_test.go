package search_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carerecord/consent"
	"carerecord/fhir/search"
)

// sealers makes a Sealer whose hour the test sets.
func sealers(t *testing.T, key byte, now *time.Time) *search.Sealer {
	t.Helper()
	s, err := search.NewSealer([]byte(strings.Repeat(string(rune(key)), 32)), time.Hour, func() time.Time { return *now })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var asker = consent.Principal{Kind: consent.Clinician, Subject: "s", Organisation: "T1", Role: "R", Client: "ehr", Purpose: "TREAT",
	Scopes: consent.Scopes{{Level: "user", Type: "*", Letters: "rs"}}, Session: "one", Token: "one", Address: "192.0.2.1"}

var position = search.Position{Path: "Observation", Query: "patient=Patient/1&code=secret", Updated: 7, Seq: 8, Ref: "Observation/2", Version: 3,
	At: search.Mark{Place: 1 << 40, Order: []byte("order"), Values: [][]byte{[]byte("2026"), nil, {}}}, Before: []search.Mark{{}, {Place: 2, Order: []byte("o")}}}

// TestPageToken: a page link opens for whom it was made, until it is old, and
// for nobody else; it was not altered; it tells nothing (SRCH-204).
func TestPageToken(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	made := now
	s := sealers(t, 'k', &now)
	token, err := s.Seal(asker, position)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(token, "Patient") || strings.ContainsAny(token, "+/=&? ") {
		t.Errorf("SRCH-204: the token %q tells something, or cannot stand in a URL", token)
	}
	if again, _ := s.Seal(asker, position); again == token {
		t.Error("SRCH-204: two tokens of one position are the same")
	}
	later := asker
	later.Session, later.Token, later.Address, later.At = "two", "two", "192.0.2.2", now
	for name, p := range map[string]consent.Principal{"the caller": asker, "the caller with a newer access token": later} {
		got, err := s.Open(p, token)
		if err != nil {
			t.Errorf("SRCH-204: %s: %v", name, err)
		} else if diff := cmp.Diff(position, got); diff != "" {
			t.Errorf("SRCH-204: %s: another position (-want +got):\n%s", name, diff)
		}
	}

	foreign := map[string]func(*consent.Principal){
		"kind":                   func(p *consent.Principal) { p.Kind = consent.Backend },
		"subject":                func(p *consent.Principal) { p.Subject = "x" },
		"organisation":           func(p *consent.Principal) { p.Organisation = "T2" },
		"role":                   func(p *consent.Principal) { p.Role = "" },
		"client":                 func(p *consent.Principal) { p.Client = "app" },
		"purpose":                func(p *consent.Principal) { p.Purpose = "COC" },
		"patient":                func(p *consent.Principal) { p.Patient = "1" },
		"scopes":                 func(p *consent.Principal) { p.Scopes = consent.Scopes{{Level: "user", Type: "Patient", Letters: "rs"}} },
		"borders between fields": func(p *consent.Principal) { p.Subject, p.Organisation = "sT", "1" },
	}
	for what, change := range foreign {
		p := asker
		change(&p)
		if _, err := s.Open(p, token); refused(err, 400, "invalid") != nil {
			t.Errorf("SRCH-204: with another %s: got %v, want 400 invalid", what, err)
		}
	}
	altered := []string{"", "x", "a b", token[:len(token)-1], token + "A", token[4:], token + "="}
	for i := 0; i < len(token); i += 7 {
		letter := "A"
		if token[i] == 'A' {
			letter = "B"
		}
		altered = append(altered, token[:i]+letter+token[i+1:])
	}
	for _, bad := range altered {
		if _, err := s.Open(asker, bad); refused(err, 400, "invalid") != nil {
			t.Errorf("SRCH-204: altered to %.20q… of %d: got %v, want 400 invalid", bad, len(bad), err)
		}
	}
	if _, err := sealers(t, 'l', &now).Open(asker, token); refused(err, 400, "invalid") != nil {
		t.Errorf("SRCH-204: of another server: got %v, want 400 invalid", err)
	}

	now = made.Add(time.Hour)
	if _, err := s.Open(asker, token); err != nil {
		t.Errorf("SRCH-204: at the end of its life: %v", err)
	}
	now = made.Add(time.Hour + time.Millisecond)
	if _, err := s.Open(asker, token); refused(err, 410, "expired") != nil {
		t.Errorf("SRCH-204: after its life: got %v, want 410 expired", err)
	}
}

// TestTokenLengths: lengths come in steps, so that they tell little of what was
// asked (SRCH-204).
func TestTokenLengths(t *testing.T) {
	now := time.Now()
	s := sealers(t, 'k', &now)
	lengths := map[int]int{}
	for n := range 1000 {
		token, err := s.Seal(asker, search.Position{Path: "Observation", Query: strings.Repeat("q", n)})
		if err != nil {
			t.Fatal(err)
		}
		lengths[len(token)]++
		if pos, err := s.Open(asker, token); err != nil || len(pos.Query) != n {
			t.Fatalf("SRCH-204: a query of %d bytes comes back with %d, %v", n, len(pos.Query), err)
		}
	}
	if len(lengths) > 3 {
		t.Errorf("SRCH-204: 1,000 queries make tokens of %d lengths, want 3 at most: %v", len(lengths), lengths)
	}
}
