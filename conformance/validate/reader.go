package validate

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// reader reads valid JSON. On other text it may continue or stop, but it stays within bounds and
// terminates.
type reader struct {
	src       []byte
	pos       int
	broken    bool
	stoppedAt int // the offset at which the text is not JSON; valid if broken
}

// stop ends all reading.
func (r *reader) stop() {
	if !r.broken {
		r.broken, r.stoppedAt = true, r.pos
	}
	r.pos = len(r.src)
}

// space skips white space.
func (r *reader) space() {
	for r.pos < len(r.src) {
		switch r.src[r.pos] {
		case ' ', '\n', '\t', '\r':
			r.pos++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end.
func (r *reader) peek() byte {
	if r.pos < len(r.src) {
		return r.src[r.pos]
	}
	return 0
}

// next moves to the next member of an object or array and reports whether there is one. n is the
// number of members already read, and end is the closing bracket.
func (r *reader) next(n int, end byte) bool {
	r.space()
	c := r.peek()
	if c == end {
		r.pos++
		return false
	}
	if n > 0 {
		if c != ',' {
			r.stop()
			return false
		}
		r.pos++
		r.space()
	}
	if r.pos >= len(r.src) {
		r.stop()
		return false
	}
	return true
}

// name reads the name of a property and the colon.
func (r *reader) name() []byte {
	raw, escaped := r.text()
	r.space()
	if r.peek() != ':' {
		r.stop()
		return nil
	}
	r.pos++
	r.space()
	if escaped {
		raw = unescape(raw)
	}
	return raw
}

// text reads a string and returns the bytes between its quotes.
func (r *reader) text() (raw []byte, escaped bool) {
	if r.peek() != '"' {
		r.stop()
		return nil, false
	}
	from := r.pos + 1
	for at := from; ; {
		n := bytes.IndexByte(r.src[at:], '"')
		if n < 0 {
			r.stop()
			return nil, false
		}
		raw = r.src[from : at+n]
		if !escaped && bytes.IndexByte(raw, '\\') < 0 {
			r.pos = at + n + 1
			return raw, false
		}
		escaped = true
		if trailingBackslashes(raw)%2 == 0 {
			r.pos = at + n + 1
			return raw, true
		}
		at += n + 1
	}
}

// trailingBackslashes returns the number of backslashes at the end of raw.
func trailingBackslashes(raw []byte) int {
	n := 0
	for n < len(raw) && raw[len(raw)-1-n] == '\\' {
		n++
	}
	return n
}

// unescape resolves the escapes of a string. Invalid ones are kept.
func unescape(raw []byte) []byte {
	quoted := make([]byte, 0, len(raw)+2)
	quoted = append(append(append(quoted, '"'), raw...), '"')
	out, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return raw
	}
	return out
}

// bareToken reads a number or a literal.
func (r *reader) bareToken() []byte {
	from := r.pos
	for r.pos < len(r.src) {
		switch r.src[r.pos] {
		case ',', ']', '}', ' ', '\n', '\t', '\r':
			return r.src[from:r.pos]
		}
		r.pos++
	}
	return r.src[from:]
}

// skip skips a value.
func (r *reader) skip() {
	depth := 0
	for r.pos < len(r.src) {
		switch r.src[r.pos] {
		case '"':
			r.text()
		case '{', '[':
			depth++
			r.pos++
		case '}', ']':
			depth--
			r.pos++
		case ',', ':', ' ', '\n', '\t', '\r':
			r.pos++
			continue
		default:
			r.bareToken()
		}
		if depth <= 0 {
			return
		}
	}
	r.stop()
}
