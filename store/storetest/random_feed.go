package storetest

import (
	"fmt"
	"slices"

	"carerecord/store"
)

// feedBoth reads one page of both feeds, after the last position or from the beginning, and compares
// them.
func (d *comparison) feedBoth() error {
	if d.oneIn(3) {
		d.refPosition, d.enginePosition = store.Position{}, store.Position{}
	}
	max := 1 + d.IntN(4)
	want, wantErr := d.ref.Changes(d.Context(), d.refPosition, max)
	got, gotErr := d.Changes(d.Context(), d.enginePosition, max)
	d.logStep("changes after %d, at most %d: %d commits, %v", d.refPosition.Seq, max, len(want), wantErr)
	end, err := d.End(d.Context())
	if err != nil || gotErr != nil || wantErr != nil {
		return fmt.Errorf("changes after %v: got error %v, want %v; end: %w", d.enginePosition, gotErr, wantErr, err)
	}
	if len(want) > 0 {
		d.refPosition = want[len(want)-1].At
	}
	if len(got) > 0 {
		d.enginePosition = got[len(got)-1].At
	}
	want = slices.Clone(want)
	for i := range want {
		want[i].At = store.Position{FeedID: end.FeedID, Seq: d.engineSeq[want[i].At.Seq]}
	}
	if diff := diff(got, want); diff != "" {
		return fmt.Errorf("changes after %v (-got +want):\n%s", d.enginePosition, diff)
	}
	return nil
}
