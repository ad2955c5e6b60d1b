package backup

import (
	"encoding/binary"
	"errors"
	"time"

	"carerecord/store"
	"carerecord/store/wire"
)

// The first byte of a frame.
const (
	frameDoc    = 'd'
	frameRecord = 'l'
)

// maxFrame is larger than the largest document of any engine.
const maxFrame = 256 << 20

var errFrame = errors.New("a frame is malformed")

// appendPart appends a part as a frame without its length. The KeyRevision is
// omitted: Import does not copy it.
func appendPart(b []byte, p store.CopyItem) []byte {
	if r := p.Record; r != nil {
		b = binary.AppendUvarint(append(b, frameRecord), r.Pos)
		return append(append(b, r.Hash[:]...), r.Payload...)
	}
	d := p.Doc
	b = appendText(append(b, frameDoc), d.Ref.Type)
	b = appendText(b, d.Ref.ID)
	b = binary.AppendUvarint(b, d.Version)
	b = binary.AppendVarint(b, d.Updated.UnixMilli())
	b = binary.AppendUvarint(b, d.Seq)
	b = binary.AppendUvarint(b, uint64(d.RowID.Partition))
	b = append(b, d.RowID.SortKey[:]...)
	b = appendText(b, d.Source)
	b = append(b, byte(d.Origin))
	b = binary.AppendUvarint(b, uint64(len(d.Keys)))
	for _, k := range d.Keys {
		b = appendText(b, k)
	}
	return append(b, d.Body...)
}

func appendText[S ~string](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parsePart is the inverse of appendPart. The part does not refer to b.
func parsePart(b []byte) (store.CopyItem, error) {
	if len(b) == 0 {
		return store.CopyItem{}, errFrame
	}
	r := wire.NewReader(b[1:])
	switch b[0] {
	case frameRecord:
		rec := &store.Record{Pos: r.Uvarint()}
		copy(rec.Hash[:], r.Bytes(uint64(len(rec.Hash))))
		rec.Payload = append([]byte{}, r.Rest()...)
		return store.CopyItem{Record: rec}, fault(&r)
	case frameDoc:
		d := &store.Doc{Ref: store.Ref{Type: string(r.Text()), ID: string(r.Text())}, Version: r.Uvarint()}
		d.Updated = time.UnixMilli(r.Varint()).UTC()
		d.Seq = r.Uvarint()
		d.RowID.Partition = store.Partition(r.Uvarint())
		copy(d.RowID.SortKey[:], r.Bytes(store.SortKeySize))
		d.Source = string(r.Text())
		if origin := r.Bytes(1); origin != nil {
			d.Origin = store.Origin(origin[0])
		}
		if n := r.Uvarint(); n <= uint64(r.Len()) {
			d.Keys = make([]store.Key, 0, n)
			for range n {
				d.Keys = append(d.Keys, store.Key(string(r.Text())))
			}
		} else {
			r.Fail()
		}
		if d.Origin != store.Deleted {
			d.Body = append([]byte{}, r.Rest()...)
		}
		return store.CopyItem{Doc: d}, fault(&r)
	}
	return store.CopyItem{}, errFrame
}

func fault(r *wire.Reader[[]byte]) error {
	if r.Failed() {
		return errFrame
	}
	return nil
}
