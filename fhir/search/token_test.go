package search_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carerecord/consent"
	"carerecord/fhir/search"
	"carerecord/store"
	"carerecord/store/storetest"
)

// sealers makes a TokenSealer whose hour the test sets.
func sealers(t *testing.T, key byte, now *time.Time) *search.TokenSealer {
	t.Helper()
	s, err := search.NewTokenSealer([]byte(strings.Repeat(string(rune(key)), 32)), time.Hour, func() time.Time { return *now }, storetest.NewReference(func() time.Time { return *now }))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var asker = consent.Principal{Kind: consent.Staff, Subject: "s", Organisation: "T1", Role: "R", Client: "ehr", Purpose: "TREAT",
	Scopes: consent.Scopes{{Level: "user", Type: "*", Permissions: "rs"}}, Session: "one", Token: "one", Address: "192.0.2.1"}

var position = search.PageToken{Path: "Observation", Query: "patient=Patient/1&code=secret", Updated: 7, Seq: 8, Ref: "Observation/2", Version: 3,
	At: search.TokenCursor{Partition: 1 << 40, SortKey: []byte("order"), Values: [][]byte{[]byte("2026"), nil, {}}}, Before: []search.TokenCursor{{}, {Partition: 2, SortKey: []byte("o")}}}

// TestPageToken: a page link opens for whom it was made, until it is old, and
// for nobody else; it was not altered; it tells nothing (SRCH-204).
func TestPageToken(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	made := now
	s := sealers(t, 'k', &now)
	token, err := s.Seal(context.Background(), asker, position)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(token, "Patient") || strings.ContainsAny(token, "+/=&? ") {
		t.Errorf("SRCH-204: the token %q tells something, or cannot stand in a URL", token)
	}
	if again, _ := s.Seal(context.Background(), asker, position); again == token {
		t.Error("SRCH-204: two tokens of one position are the same")
	}
	later := asker
	later.Session, later.Token, later.Address, later.At = "two", "two", "192.0.2.2", now
	for name, p := range map[string]consent.Principal{"the caller": asker, "the caller with a newer access token": later} {
		got, err := s.Open(context.Background(), p, token)
		if err != nil {
			t.Errorf("SRCH-204: %s: %v", name, err)
		} else if diff := cmp.Diff(position, got); diff != "" {
			t.Errorf("SRCH-204: %s: another position (-want +got):\n%s", name, diff)
		}
	}

	foreign := map[string]func(*consent.Principal){
		"kind":         func(p *consent.Principal) { p.Kind = consent.Backend },
		"subject":      func(p *consent.Principal) { p.Subject = "x" },
		"organisation": func(p *consent.Principal) { p.Organisation = "T2" },
		"role":         func(p *consent.Principal) { p.Role = "" },
		"client":       func(p *consent.Principal) { p.Client = "app" },
		"purpose":      func(p *consent.Principal) { p.Purpose = "COC" },
		"patient":      func(p *consent.Principal) { p.Patient = "1" },
		"scopes": func(p *consent.Principal) {
			p.Scopes = consent.Scopes{{Level: "user", Type: "Patient", Permissions: "rs"}}
		},
		"borders between fields": func(p *consent.Principal) { p.Subject, p.Organisation = "sT", "1" },
	}
	for what, change := range foreign {
		p := asker
		change(&p)
		if _, err := s.Open(context.Background(), p, token); refused(err, 400, "invalid") != nil {
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
		if _, err := s.Open(context.Background(), asker, bad); refused(err, 400, "invalid") != nil {
			t.Errorf("SRCH-204: altered to %.20q… of %d: got %v, want 400 invalid", bad, len(bad), err)
		}
	}
	if _, err := sealers(t, 'l', &now).Open(context.Background(), asker, token); refused(err, 400, "invalid") != nil {
		t.Errorf("SRCH-204: of another server: got %v, want 400 invalid", err)
	}

	now = made.Add(time.Hour)
	if _, err := s.Open(context.Background(), asker, token); err != nil {
		t.Errorf("SRCH-204: at the end of its life: %v", err)
	}
	now = made.Add(time.Hour + time.Millisecond)
	if _, err := s.Open(context.Background(), asker, token); refused(err, 410, "expired") != nil {
		t.Errorf("SRCH-204: after its life: got %v, want 410 expired", err)
	}
}

// TestTokenLengths: all tokens are of one length, whatever was asked and however
// long it is (SRCH-204).
func TestTokenLengths(t *testing.T) {
	now := time.Now()
	s := sealers(t, 'k', &now)
	lengths := map[int]int{}
	for _, n := range []int{0, 1, 100, 1000, 1900, 2000, 2100, 8000, 100_000} {
		token, err := s.Seal(context.Background(), asker, search.PageToken{Path: "Observation", Query: strings.Repeat("q", n)})
		if err != nil {
			t.Fatal(err)
		}
		lengths[len(token)]++
		if pos, err := s.Open(context.Background(), asker, token); err != nil || len(pos.Query) != n {
			t.Fatalf("SRCH-204: a query of %d bytes comes back with %d, %v", n, len(pos.Query), err)
		}
	}
	if len(lengths) != 1 {
		t.Errorf("SRCH-204: tokens are of %d lengths, want one: %v", len(lengths), lengths)
	}
}

// kept is a State that notes what is inserted, and fails when told to.
type kept struct {
	*storetest.Reference
	keys   []string
	values []string
	fails  bool
}

func (k *kept) Insert(ctx context.Context, key string, value []byte, expires time.Time) error {
	k.keys, k.values = append(k.keys, key), append(k.values, string(value))
	return k.Reference.Insert(ctx, key, value, expires)
}

func (k *kept) Lookup(ctx context.Context, key string) ([]byte, error) {
	if k.fails {
		return nil, store.ErrUnavailable
	}
	return k.Reference.Lookup(ctx, key)
}

// TestLongQueries: a query over 2 KiB sits in State, sealed for its requester, for as
// long as its page lives, and one below does not; who else holds the token, or
// where State has lost it, is refused (SRCH-204).
func TestLongQueries(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	state := &kept{Reference: storetest.NewReference(clock)}
	s, err := search.NewTokenSealer([]byte(strings.Repeat("k", 32)), time.Hour, clock, state)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	seal := func(n int) string {
		t.Helper()
		token, err := s.Seal(ctx, asker, search.PageToken{Path: "Patient", Query: "name=" + strings.Repeat("secret", n)})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if seal(300); len(state.keys) != 0 {
		t.Errorf("SRCH-204: a query of 1.8 KiB sits in State: %q", state.keys)
	}
	token := seal(400)
	if len(state.keys) != 1 || strings.Contains(state.values[0], "secret") || strings.Contains(token, state.keys[0][len("page/"):]) {
		t.Fatalf("SRCH-204: State holds %q, %q", state.keys, state.values)
	}
	if other := seal(400); other == token || state.keys[1] == state.keys[0] {
		t.Error("SRCH-204: two handles are the same")
	}
	another := asker
	another.Client = "app"
	if _, err := s.Open(ctx, another, token); refused(err, 400, "invalid") != nil {
		t.Errorf("SRCH-204: another client: got %v, want 400 invalid", err)
	}
	state.fails = true
	if _, err := s.Open(ctx, asker, token); refused(err, 503, "transient") != nil || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("LIM-008: State does not answer: got %v, want 503", err)
	}
	state.fails = false
	now = now.Add(time.Hour - time.Second)
	if pos, err := s.Open(ctx, asker, token); err != nil || len(pos.Query) != 2405 {
		t.Errorf("SRCH-204: near the end of its life: %v", err)
	}
	if _, err := state.Take(ctx, state.keys[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(ctx, asker, token); refused(err, 410, "expired") != nil {
		t.Errorf("SRCH-204: where State has lost it: got %v, want 410 expired", err)
	}
	now = now.Add(2 * time.Second)
	if _, err := s.Open(ctx, asker, seal(1)); err != nil {
		t.Errorf("SRCH-204: a new one: %v", err)
	}
}
