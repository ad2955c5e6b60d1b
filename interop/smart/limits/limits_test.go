package limits_test

import (
	"fmt"
	"testing"
	"time"

	"carerecord/interop/smart/limits"
)

// TestLimit: each name has a counter of its own that fills again with time (SMART-482, 483).
func TestLimit(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	l := limits.New(60, func() time.Time { return now })
	for range 60 {
		if !l.Count("a") {
			t.Fatal("SMART-482: the limit is lower than 60")
		}
	}
	if l.Count("a") {
		t.Error("SMART-482: the 61st is within the limit")
	}
	if !l.Count("b") {
		t.Error("SMART-483: another name is blocked")
	}
	now = now.Add(time.Second)
	if !l.Count("a") || l.Count("a") {
		t.Error("after a second one more must be permitted")
	}
	l.Return("a")
	if !l.Count("a") || l.Count("a") {
		t.Error("SMART-482: an event that is returned must be permitted again, once")
	}
	for range 3 {
		l.Return("c")
	}
	for range 60 {
		l.Count("c")
	}
	if l.Count("c") {
		t.Error("SMART-482: returned events make the limit higher")
	}
	now = now.Add(-time.Hour) // a clock that was set back gives nothing
	if l.Count("a") {
		t.Error("a clock that was set back gives events")
	}
	for i := range 50_000 {
		l.Count(fmt.Sprint(i))
	}
	unlimited := limits.New(0, time.Now)
	unlimited.Return("a")
	for range 2 {
		if !unlimited.Count("a") {
			t.Error("0 is no limit")
		}
	}
}
