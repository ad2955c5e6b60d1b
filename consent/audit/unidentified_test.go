package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"carerecord/consent/audit"
	"carerecord/store/storetest"
)

// TestUnidentified: one request without a valid token a second and address has a record; the others are counted.
// Records and counts together include every request, whatever the number of addresses (AUD-101).
func TestUnidentified(t *testing.T) {
	for _, c := range []struct {
		name      string
		addresses int
		address   func(i int) string
		most      int // records
	}{
		{"one address", 1, func(int) string { return "192.0.2.1" }, 4},
		{"two addresses", 2, func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }, 8},
		{"one network of IPv6", 500, func(i int) string { return fmt.Sprintf("2001:db8::%x", i+1) }, 4},
		{"more than are distinguished", 1500, func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/256, i%256) }, 4 * 1001},
	} {
		log := storetest.NewReference(time.Now)
		writer, err := audit.New(log, make([]byte, 32), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var u audit.UnidentifiedLimiter
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		sent := 0
		for range 3 {
			for range 3 {
				for i := range c.addresses {
					sent++
					if n := u.Admit(c.address(i), at); n == 1 {
						r := audit.Record{Recorded: at, Interaction: "read", Client: audit.Client{Address: c.address(i)}}
						if err := u.Append(context.Background(), writer, r); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			at = at.Add(time.Second)
		}
		if err := u.Flush(context.Background(), writer, at); err != nil {
			t.Fatal(err)
		}
		records, told := 0, 0
		for stored, err := range log.Records(context.Background(), 1) {
			if err != nil {
				t.Fatal(err)
			}
			var r audit.Record
			if err := json.Unmarshal(stored.Payload, &r); err != nil {
				t.Fatal(err)
			}
			records++
			told += r.More
			if r.Interaction != "unidentified" {
				told++
			}
		}
		if told != sent || records > c.most {
			t.Errorf("AUD-101: %s: %d requests in 3 s: %d records tell of %d requests, want at most %d records that tell of all", c.name, sent, records, told, c.most)
		}
		before, _ := log.Head(context.Background())
		if err := u.Flush(context.Background(), writer, at); err != nil {
			t.Fatal(err)
		}
		if after, _ := log.Head(context.Background()); after.Pos != before.Pos {
			t.Errorf("AUD-101: %s: a count was recorded twice", c.name)
		}
	}
}
