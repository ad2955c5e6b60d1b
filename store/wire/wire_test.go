package wire_test

import (
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"carerecord/store/wire"
)

// Every value is read back as it was written, and every shorter text fails.
func TestReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, i, text := rapid.Uint64().Draw(t, "u"), rapid.Int64().Draw(t, "i"), rapid.String().Draw(t, "text")
		b := binary.AppendVarint(binary.AppendUvarint(nil, u), i)
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
		r := wire.NewReader(b)
		if gotU, gotI, got := r.Uvarint(), r.Varint(), r.Text(); gotU != u || gotI != i || string(got) != text || r.Failed() || r.Len() != 0 {
			t.Errorf("got %d %d %q, %d bytes left, failed %v; want %d %d %q", gotU, gotI, got, r.Len(), r.Failed(), u, i, text)
		}
		cut := wire.NewReader(string(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]))
		cut.Uvarint()
		cut.Varint()
		if cut.Text(); !cut.Failed() || cut.Len() != 0 {
			t.Errorf("cut: failed %v, %d bytes left; want it failed, and nothing left", cut.Failed(), cut.Len())
		}
	})
}

func TestReaderFails(t *testing.T) {
	for _, b := range []string{"", "\x80", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x05abc"} {
		r := wire.NewReader(b)
		if got := r.Text(); got != "" || !r.Failed() || r.Uvarint() != 0 {
			t.Errorf("%q: got %q, failed %v; want a failure", b, got, r.Failed())
		}
	}
}

func BenchmarkUvarint(b *testing.B) {
	row := binary.AppendUvarint(binary.AppendUvarint(nil, 7), 300)
	for b.Loop() {
		r := wire.NewReader(row)
		r.Uvarint()
		r.Uvarint()
	}
}
