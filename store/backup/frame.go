package backup

import (
	"encoding/binary"
	"errors"
	"time"

	"carerecord/store"
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
func appendPart(b []byte, p store.Part) []byte {
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
func parsePart(b []byte) (store.Part, error) {
	if len(b) == 0 {
		return store.Part{}, errFrame
	}
	r := frameReader{b: b[1:]}
	switch b[0] {
	case frameRecord:
		rec := &store.Record{Pos: r.uvarint()}
		copy(rec.Hash[:], r.bytes(uint64(len(rec.Hash))))
		rec.Payload = append([]byte{}, r.b...)
		return store.Part{Record: rec}, r.fault()
	case frameDoc:
		d := &store.Doc{Ref: store.Ref{Type: r.text(), ID: r.text()}, Version: r.uvarint()}
		d.Updated = time.UnixMilli(r.varint()).UTC()
		d.Seq = r.uvarint()
		d.RowID.Partition = store.Partition(r.uvarint())
		copy(d.RowID.SortKey[:], r.bytes(store.SortKeySize))
		d.Source = r.text()
		if origin := r.bytes(1); origin != nil {
			d.Origin = store.Origin(origin[0])
		}
		if n := r.uvarint(); n <= uint64(len(r.b)) {
			d.Keys = make([]store.Key, 0, n)
			for range n {
				d.Keys = append(d.Keys, store.Key(r.text()))
			}
		} else {
			r.short = true
		}
		if d.Origin != store.Deleted {
			d.Body = append([]byte{}, r.b...)
		}
		return store.Part{Doc: d}, r.fault()
	}
	return store.Part{}, errFrame
}

// frameReader reads the fields of a frame, and remembers whether it was too short.
type frameReader struct {
	b     []byte
	short bool
}

func (f *frameReader) fault() error {
	if f.short {
		return errFrame
	}
	return nil
}

func (f *frameReader) bytes(n uint64) []byte {
	if n > uint64(len(f.b)) {
		f.short, f.b = true, nil
		return nil
	}
	v := f.b[:n]
	f.b = f.b[n:]
	return v
}

func (f *frameReader) text() string { return string(f.bytes(f.uvarint())) }

func (f *frameReader) uvarint() uint64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.short, f.b = true, nil
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *frameReader) varint() int64 {
	v, n := binary.Varint(f.b)
	if n <= 0 {
		f.short, f.b = true, nil
		return 0
	}
	f.b = f.b[n:]
	return v
}
