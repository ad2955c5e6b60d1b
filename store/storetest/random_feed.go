package storetest

import (
	"fmt"
	"slices"

	"carerecord/store"
)

// feedBoth follows both feeds for a page, from where it left off or from the
// beginning.
func (d *duel) feedBoth() error {
	if d.once(3) {
		d.at, d.their = store.Position{}, store.Position{}
	}
	max := 1 + d.IntN(4)
	want, wantErr := d.ref.Changes(d.ctx, d.at, max)
	got, gotErr := d.Changes(d.ctx, d.their, max)
	d.tell("changes after %d, at most %d: %d commits, %v", d.at.Seq, max, len(want), wantErr)
	end, err := d.End(d.ctx)
	if err != nil || gotErr != nil || wantErr != nil {
		return fmt.Errorf("changes after %v: got error %v, want %v; end: %w", d.their, gotErr, wantErr, err)
	}
	if len(want) > 0 {
		d.at = want[len(want)-1].At
	}
	if len(got) > 0 {
		d.their = got[len(got)-1].At
	}
	want = slices.Clone(want)
	for i := range want {
		want[i].At = store.Position{FeedID: end.FeedID, Seq: d.seqs[want[i].At.Seq]}
	}
	if diff := diff(got, want); diff != "" {
		return fmt.Errorf("changes after %v (-got +want):\n%s", d.their, diff)
	}
	return nil
}
