package reindex_test

import (
	"encoding/json"
	"testing"

	"carerecord/consent/reindex"
)

// TestMarkKeepsItsForm: the mark of a walk that an earlier program interrupted is resumed, so its JSON keeps
// the names that it has in stores.
func TestMarkKeepsItsForm(t *testing.T) {
	const stored = `{"keying":{"index":6,"facts":9},"began":"1970-01-01T00:00:00Z","resumed":0,"round":1,"type":"List","read":3,"rekeyed":2,"done":false,"types":["List"],"parameters":[1],"after":{"Place":7,"Order":[1,0,0,0,0,0,0,0,0,0,0,0,0]},"changed":true,"relabelled":true}`
	var w reindex.Walk
	if err := json.Unmarshal([]byte(stored), &w); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(w); err != nil || string(got) != stored {
		t.Errorf("got  %s, %v\nwant %s", got, err, stored)
	}
	if w.After == nil || w.After.Partition != 7 || w.After.SortKey[0] != 1 {
		t.Errorf("the position is lost: %+v", w.After)
	}
}
