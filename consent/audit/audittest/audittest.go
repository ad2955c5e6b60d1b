// Package audittest reads an audit trail in tests.
package audittest

import (
	"context"
	"encoding/json"
	"testing"

	"carerecord/consent/audit"
	"carerecord/store"
)

// RecordsAfter returns the records of an audit trail after a position, and the position of the last
// of them. Without records it returns the position that was passed.
func RecordsAfter(t *testing.T, log store.Log, from uint64) (records []audit.Record, last uint64) {
	t.Helper()
	last = from
	for stored, err := range log.Records(context.Background(), from+1) {
		if err != nil {
			t.Fatal(err)
		}
		var r audit.Record
		if err := json.Unmarshal(stored.Payload, &r); err != nil {
			t.Fatal(err)
		}
		records, last = append(records, r), stored.Pos
	}
	return records, last
}

// OperationOf returns the name of the operation that a record is about, also of one that was
// refused or failed.
func OperationOf(r audit.Record) string {
	if r.Interaction == audit.OperationRefused {
		return r.Type
	}
	return r.Interaction
}
