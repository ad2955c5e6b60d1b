// Package wire reads the byte formats of this program: rows, frames of a backup, and keys
// that hold other keys. They are written with encoding/binary: varints, and bytes that
// begin with their length.
package wire

import "encoding/binary"

// Reader reads values from the front of some bytes. The first value that the bytes do not
// hold makes it fail: that and every later read returns zero. The zero Reader is at the end.
type Reader[S []byte | string] struct {
	rest   S
	failed bool
}

// NewReader returns a Reader of b. What it returns shares memory with b.
func NewReader[S []byte | string](b S) Reader[S] { return Reader[S]{rest: b} }

// Rest returns the bytes that were not read yet.
func (r *Reader[S]) Rest() S { return r.rest }

// Len returns how many bytes were not read yet.
func (r *Reader[S]) Len() int { return len(r.rest) }

// Fail makes the reader fail.
func (r *Reader[S]) Fail() {
	var none S
	r.rest, r.failed = none, true
}

// Failed reports whether a read failed.
func (r *Reader[S]) Failed() bool { return r.failed }

// Bytes reads n bytes.
func (r *Reader[S]) Bytes(n uint64) S {
	if n > uint64(len(r.rest)) {
		r.Fail()
		return r.rest
	}
	v := r.rest[:n]
	r.rest = r.rest[n:]
	return v
}

// Text reads bytes that begin with their length.
func (r *Reader[S]) Text() S { return r.Bytes(r.Uvarint()) }

// Uvarint reads a number that binary.AppendUvarint wrote.
func (r *Reader[S]) Uvarint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 { // nearly always
		v := uint64(r.rest[0])
		r.rest = r.rest[1:]
		return v
	}
	v, n := binary.Uvarint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Varint reads a number that binary.AppendVarint wrote.
func (r *Reader[S]) Varint() int64 {
	u := r.Uvarint()
	v := int64(u >> 1)
	if u&1 != 0 {
		v = ^v
	}
	return v
}
