package ledger_test

import (
	"testing"
	"time"

	"carerecord/consent/audit"
	"carerecord/consent/audit/audittest"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/limits"
	"carerecord/store/storetest"
)

// TestRefusals: a source has a limited number of records, those of its network share them, and a refusal that could not be recorded
// is an error (SMART-482, 496).
func TestRefusals(t *testing.T) {
	clock := func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }
	log := storetest.NewReference(clock)
	writer, err := audit.New(log, make([]byte, 32), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	observed := 0
	r := &ledger.Refusals{Ledger: &ledger.Ledger{Audit: writer, Clock: clock, Observe: func(ledger.Event) { observed++ }}, Sources: limits.New(2, clock), Counted: &audit.UnidentifiedLimiter{}}
	for i, want := range []bool{true, true, false} {
		e := ledger.Event{Name: "token-refused", Refused: "invalid_client", Client: audit.Client{Address: "[2001:db8::" + string(rune('1'+i)) + "]"}}
		if within, err := r.Note(t.Context(), e); err != nil || within != want {
			t.Errorf("SMART-482: refusal %d of a network: got %v, %v, want %v", i, within, err, want)
		}
	}
	if observed != 3 {
		t.Errorf("SMART-497: %d refusals were observed, want 3", observed)
	}
	if err := r.Counted.Flush(t.Context(), writer, clock()); err != nil {
		t.Fatal(err)
	}
	records, _ := audittest.RecordsAfter(t, log, 0)
	if n := len(records); n != 3 || records[n-1].More != 1 || records[n-1].Client.Address != "2001:db8::/64" {
		t.Errorf("SMART-494: got %+v, want two records and one count", records)
	}
}
