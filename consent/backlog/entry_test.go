package backlog_test

import (
	"encoding/json"
	"testing"

	"carerecord/consent/backlog"
)

// TestEntryKeepsItsForm: entries that an earlier program stored are continued, so their JSON keeps its names.
func TestEntryKeepsItsForm(t *testing.T) {
	const stored = `{"name":"Patient/1","of":["1"],"barred":true,"rest":{"any":true},"depth":2,"type":"List","after":{"Place":7,"Order":[1,0,0,0,0,0,0,0,0,0,0,0,0]},"done":4,"round":5}`
	var e backlog.Entry
	if err := json.Unmarshal([]byte(stored), &e); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(e); err != nil || string(got) != stored {
		t.Errorf("got  %s, %v\nwant %s", got, err, stored)
	}
	if e.After == nil || e.After.Partition != 7 || e.After.SortKey[0] != 1 {
		t.Errorf("the position is lost: %+v", e.After)
	}
}
