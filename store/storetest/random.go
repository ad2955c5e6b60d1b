package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/store"
)

// Random runs random operations, drawn from seed, on each subject and on a Reference, and
// compares all results. It shortens a sequence whose results differ and prints it.
//
// A sequence is a list of numbers, one seed for each operation, so every part of it is a sequence
// too.
func Random(t *testing.T, seed uint64, steps int, subjects ...Subject) {
	t.Helper()
	rng := newDice(seed)
	ops := make([]uint64, steps)
	for i := range ops {
		ops[i] = rng.Uint64()
	}
	for i, subject := range subjects {
		began := time.Now()
		n, err := runOperations(t, subject, ops, nil)
		if err == nil {
			t.Logf("%d operations of seed %d in %.1f s", n, seed, time.Since(began).Seconds())
			continue
		}
		t.Logf("subject %d, seed %d: after %d operations: %v; shortening", i, seed, n, err)
		var trace []string
		short := shorten(t, subject, ops[:n])
		_, err = runOperations(t, subject, short, &trace)
		t.Fatalf("subject %d, seed %d: %v\nafter these %d operations:\n%s", i, seed, err, len(short), strings.Join(trace, "\n"))
	}
}

// shorten removes operations from a failing sequence as long as it fails.
func shorten(t *testing.T, subject Subject, ops []uint64) []uint64 {
	tries := 300
	for size := len(ops) / 2; size > 0; size /= 2 {
		for from := 0; from < len(ops); {
			fewer := slices.Delete(slices.Clone(ops), from, min(from+size, len(ops)))
			if tries--; tries < 0 {
				return ops
			}
			if n, err := runOperations(t, subject, fewer, nil); err != nil {
				ops = fewer[:n]
			} else {
				from += size
			}
		}
	}
	return ops
}

// comparison runs one sequence on the reference and on the engine.
type comparison struct {
	*kit
	dice
	ref            *Reference
	step           int
	engineSeq      map[uint64]uint64 // the engine's Seq for that of the reference
	lastSeq        uint64            // the engine's last Seq
	refPosition    store.Position    // the last position read from the feed of the reference,
	enginePosition store.Position    // and from the feed of the engine
	trace          *[]string
}

// runOperations runs the operations until the first difference and returns their number. It appends a
// line for each to trace, unless that is nil.
func runOperations(t *testing.T, subject Subject, ops []uint64, trace *[]string) (n int, err error) {
	clock := NewClock()
	d := &comparison{ref: NewReference(clock.Now), engineSeq: map[uint64]uint64{}, trace: trace}
	d.kit = &kit{T: t, Engine: subject.Open(t, clock.Now), subject: subject, clock: clock}
	for i, op := range ops {
		d.dice, d.step = newDice(op), i
		if err := d.runOperation(); err != nil {
			return i + 1, err
		}
	}
	if r, ok := d.Engine.(memoryChecker); ok {
		err = r.CheckMemory(d.Context())
	}
	return len(ops), err
}

func (d *comparison) logStep(format string, args ...any) {
	if d.trace != nil {
		*d.trace = append(*d.trace, fmt.Sprintf("%3d ", d.step)+fmt.Sprintf(format, args...))
	}
}

func (d *comparison) runOperation() error {
	switch n := d.IntN(100); {
	case n < 40:
		return d.commitBoth()
	case n < 75:
		return d.readBoth(d.runQueries)
	case n < 80:
		return d.readBoth(d.commitDuringReads)
	case n < 92:
		return d.stateBoth()
	case n < 95:
		return d.logBoth()
	case n < 97:
		return d.feedBoth()
	case n < 99:
		d.clock.Advance(time.Duration(d.IntN(90)) * time.Second)
	case d.subject.Reopen != nil:
		d.logStep("reopen")
		d.Engine = d.subject.Reopen(d.T, d.Engine, d.clock.Now)
	}
	return nil
}

func (d *comparison) commitBoth() error {
	var b store.Batch
	for range 1 + d.IntN(3) {
		ref := d.dice.ref()
		newest, _ := d.ref.state.newest(ref)
		if !slices.ContainsFunc(b.Writes, func(w store.Write) bool { return w.Doc.Ref == ref }) {
			b.Writes = append(b.Writes, d.write(ref, newest, d.step/3))
		}
	}
	if d.oneIn(5) {
		ref := d.dice.ref()
		newest, _ := d.ref.state.newest(ref)
		check := store.Check{Ref: ref, Version: newest.Version, KeyRevision: newest.KeyRevision}
		if d.oneIn(6) {
			check.Version = uint64(d.IntN(3))
		}
		if d.oneIn(6) {
			check.KeyRevision = uint64(d.IntN(3))
		}
		if d.oneIn(2) {
			check.Where = d.pred(2)
		}
		b.Checks = append(b.Checks, check)
	}
	if d.oneIn(6) {
		claim := pick[store.Key](d.dice, "a", "b", "n1")
		b.Absent = append(b.Absent, store.Absent{Type: d.typ(), Where: store.And{store.Eq{Key: claim}, d.pred(2)}, Claims: []store.Key{claim}})
	}
	if d.oneIn(5) {
		b.Log = [][]byte{fmt.Append(nil, "batch ", d.step, ".1"), fmt.Append(nil, "batch ", d.step, ".2")}
	}
	if d.oneIn(5) {
		b.State = []store.StateWrite{{Key: pick(d.dice, "s", "t"), Value: fmt.Append(nil, d.step), Expires: d.expiry()}}
	}
	want, wantErr := d.ref.Commit(d.Context(), b)
	got, gotErr := d.Commit(d.Context(), b)
	d.logStep("commit %s: %v", describeBatch(b), wantErr)
	if !sameError(gotErr, wantErr) {
		return fmt.Errorf("commit: got error %v, want %v", gotErr, wantErr)
	}
	if wantErr == nil {
		if got <= d.lastSeq {
			return fmt.Errorf("commit: number %d after %d", got, d.lastSeq)
		}
		d.engineSeq[want], d.lastSeq = got, got
	}
	return nil
}

// sameError reports whether two errors match the same sentinels.
func sameError(a, b error) bool {
	for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrExists} {
		if errors.Is(a, known) != errors.Is(b, known) {
			return false
		}
	}
	return (a == nil) == (b == nil)
}

func (d *comparison) readBoth(f func(a, b store.Snapshot) error) error {
	return d.ref.Read(d.Context(), func(a store.Snapshot) error {
		return d.Read(d.Context(), func(b store.Snapshot) error { return f(a, b) })
	})
}

// commitDuringReads commits while snapshots a and b are open. These must not change; later snapshots
// must.
func (d *comparison) commitDuringReads(a, b store.Snapshot) error {
	for range 1 + d.IntN(3) {
		if err := d.commitBoth(); err != nil {
			return err
		}
		for _, count := range []func() error{
			func() error { return d.readBoth(d.compareCounts) },
			func() error { return d.compareCounts(a, b) },
		} {
			if err := count(); err != nil {
				return err
			}
		}
	}
	return d.runQueries(a, b)
}

// compareCounts compares counts of all documents and of those with one key, which engines may cache.
func (d *comparison) compareCounts(a, b store.Snapshot) error {
	for range 3 {
		if err := d.countBoth(a, b, d.oneKeyQuery(), 0); err != nil {
			return err
		}
	}
	return nil
}

func (d *comparison) countBoth(a, b store.Snapshot, q store.Query, max int) error {
	want, _ := a.Count(d.Context(), q, max)
	got, err := b.Count(d.Context(), q, max)
	d.logStep("count %s, at most %d: %d", describe(q), max, want)
	if err != nil || got != want {
		return fmt.Errorf("count %s, at most %d: got %d, %v, want %d", describe(q), max, got, err, want)
	}
	return nil
}

// runQueries runs some queries on both snapshots.
func (d *comparison) runQueries(a, b store.Snapshot) error {
	for range 3 {
		var err error
		switch d.IntN(7) {
		case 0:
			ref := d.dice.ref()
			want, wantErr := a.Get(d.Context(), ref)
			got, gotErr := b.Get(d.Context(), ref)
			err = d.compare(fmt.Sprint("get ", ref), []store.Doc{got}, []store.Doc{want}, gotErr, wantErr)
		case 1:
			ref, v := d.dice.ref(), uint64(d.IntN(5))
			want, wantErr := a.Version(d.Context(), ref, v)
			got, gotErr := b.Version(d.Context(), ref, v)
			err = d.compare(fmt.Sprint("version ", v, " of ", ref), []store.Doc{got}, []store.Doc{want}, gotErr, wantErr)
		case 2:
			err = d.countBoth(a, b, d.query(), d.IntN(4))
		case 3:
			err = d.historyBoth(a, b)
		case 4:
			err = d.countBoth(a, b, d.oneKeyQuery(), d.IntN(2)*d.IntN(4))
		default:
			q := d.query()
			want, wantErr := collect(a.Scan(d.Context(), q))
			got, gotErr := collect(b.Scan(d.Context(), q))
			err = d.compare("scan "+describe(q), got, want, gotErr, wantErr)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *comparison) historyBoth(a, b store.Snapshot) error {
	q := store.HistoryQuery{Type: d.typ()}
	if d.oneIn(2) {
		q.ID = d.dice.ref().ID
	}
	if d.oneIn(3) {
		q.Since = instantAt(d.IntN(d.step/3 + 2))
	}
	if d.oneIn(3) {
		q.Where = d.pred(2)
	}
	engineQuery := q
	if d.oneIn(2) {
		all, err := collect(a.History(d.Context(), store.HistoryQuery{Type: d.typ()}))
		if err != nil {
			return err
		}
		if len(all) > 0 {
			mark := all[d.IntN(len(all))].HistoryMark()
			q.Before = &mark
			engineMark := mark
			engineMark.Seq = d.engineSeq[mark.Seq]
			engineQuery.Before = &engineMark
		}
	}
	want, wantErr := collect(a.History(d.Context(), q))
	got, gotErr := collect(b.History(d.Context(), engineQuery))
	return d.compare(fmt.Sprintf("history %+v before %+v", q, q.Before), got, want, gotErr, wantErr)
}

// compare compares rows, after it replaced the Seq of the wanted rows by that of the engine.
func (d *comparison) compare(what string, got, want []store.Doc, gotErr, wantErr error) error {
	d.logStep("%s: %d rows, %v", what, len(want), wantErr)
	if !sameError(gotErr, wantErr) {
		return fmt.Errorf("%s: got error %v, want %v", what, gotErr, wantErr)
	}
	if wantErr != nil {
		return nil
	}
	want = slices.Clone(want)
	for i := range want {
		want[i].Seq = d.engineSeq[want[i].Seq]
	}
	if diff := diff(got, want); diff != "" {
		return fmt.Errorf("%s (-got +want):\n%s", what, diff)
	}
	return nil
}

func describe(q store.Query) string {
	s := fmt.Sprintf("%s where %#v", q.Type, q.Where)
	if q.After != nil {
		s += fmt.Sprintf(" after %v", *q.After)
	}
	if q.Partitions != nil {
		s += fmt.Sprintf(" in %v", q.Partitions)
	}
	return s
}

func describeBatch(b store.Batch) string {
	var words []string
	for _, w := range b.Writes {
		kind := w.Doc.Origin.String()
		if w.Rekey {
			kind = "rekeyed"
		}
		words = append(words, fmt.Sprintf("%s version %d over %d, rekeyed %d times, %s at %v, keys %q", w.Doc.Ref, w.Doc.Version, w.Expect, w.KeyRevision, kind, w.Doc.RowID, w.Doc.Keys))
	}
	for _, c := range b.Checks {
		words = append(words, fmt.Sprintf("check %s at version %d, rekeyed %d times, or where %#v", c.Ref, c.Version, c.KeyRevision, c.Where))
	}
	for _, a := range b.Absent {
		words = append(words, fmt.Sprintf("no %s where %#v", a.Type, a.Where))
	}
	return strings.Join(words, "; ")
}

func (d *comparison) expiry() time.Time {
	if d.oneIn(2) {
		return time.Time{}
	}
	return d.clock.Now().Add(time.Duration(d.IntN(120)) * time.Second)
}

func (d *comparison) stateBoth() error {
	key, value, expires := pick(d.dice, "s", "t", "u"), fmt.Append(nil, d.IntN(3)), d.expiry()
	old := fmt.Append(nil, d.IntN(3))
	if current, err := d.ref.Lookup(d.Context(), key); err == nil && d.oneIn(2) {
		old = current
	}
	var got, want []byte
	var gotErr, wantErr error
	kind := pick(d.dice, "insert", "lookup", "swap", "take")
	switch kind {
	case "insert":
		wantErr, gotErr = d.ref.Insert(d.Context(), key, value, expires), d.Insert(d.Context(), key, value, expires)
	case "lookup":
		want, wantErr = d.ref.Lookup(d.Context(), key)
		got, gotErr = d.Lookup(d.Context(), key)
	case "swap":
		wantErr, gotErr = d.ref.Swap(d.Context(), key, old, value, expires), d.Swap(d.Context(), key, old, value, expires)
	case "take":
		want, wantErr = d.ref.Take(d.Context(), key)
		got, gotErr = d.Take(d.Context(), key)
	}
	d.logStep("%s %s old %q value %q until %v: %q, %v", kind, key, old, value, expires, want, wantErr)
	if !sameError(gotErr, wantErr) || !bytes.Equal(got, want) {
		return fmt.Errorf("%s %s: got %q, %v, want %q, %v", kind, key, got, gotErr, want, wantErr)
	}
	return nil
}

// logBoth appends to both logs, or not, and compares them. The log of the engine may also have records
// of failed commits.
func (d *comparison) logBoth() error {
	if d.oneIn(2) {
		payloads := [][]byte{fmt.Append(nil, "append ", d.step, ".1"), fmt.Append(nil, "append ", d.step, ".2")}[:1+d.IntN(2)]
		before, err := d.Head(d.Context())
		if err != nil {
			return err
		}
		if _, err := d.ref.Append(d.Context(), payloads...); err != nil {
			return err
		}
		first, err := d.Append(d.Context(), payloads...)
		d.logStep("append %q: %d", payloads, first)
		if err != nil || first != before.Pos+1 {
			return fmt.Errorf("append: got %d, %v, want %d", first, err, before.Pos+1)
		}
	}
	want := d.ref.log
	for _, payload := range d.chain() {
		if len(want) > 0 && payload == string(want[0].Payload) {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		return fmt.Errorf("log: record %q is missing or out of its order", want[0].Payload)
	}
	return nil
}
