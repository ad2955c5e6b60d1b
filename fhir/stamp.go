package fhir

import (
	"bytes"
	"strconv"
	"time"

	"github.com/tidwall/gjson"
)

// InstantFormat is the format in which the server writes an instant: UTC with milliseconds.
const InstantFormat = "2006-01-02T15:04:05.000Z"

// Stamp returns the body with id, meta.versionId and meta.lastUpdated set. Everything else is
// kept token for token (REST-092, 100). body is a compact object that Parse accepted.
func Stamp(body []byte, id string, version uint64, updated time.Time) []byte {
	out := make([]byte, 0, len(body)+len(id)+96)
	out = append(out, '{')
	hasID, hasMeta := false, false
	members(body, func(quoted, _ []byte) bool {
		name := named(quoted)
		hasID, hasMeta = hasID || string(name) == "id", hasMeta || string(name) == "meta"
		return !hasID || !hasMeta
	})
	member := func(quoted []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(out, quoted...), ':')
	}
	writeID := func() {
		member([]byte(`"id"`))
		out = append(append(append(out, '"'), id...), '"')
	}
	writeMeta := func(old []byte) {
		member([]byte(`"meta"`))
		out = appendMeta(out, old, version, updated)
	}
	members(body, func(quoted, value []byte) bool {
		switch string(named(quoted)) {
		case "id":
			writeID()
			if !hasMeta {
				writeMeta(nil)
			}
		case "_id":
		case "meta":
			writeMeta(value)
		case "resourceType":
			member(quoted)
			out = append(out, value...)
			if !hasID {
				writeID()
				if !hasMeta {
					writeMeta(nil)
				}
			}
		default:
			member(quoted)
			out = append(out, value...)
		}
		return true
	})
	return append(out, '}')
}

func appendMeta(out []byte, old []byte, version uint64, updated time.Time) []byte {
	out = append(out, `{"versionId":"`...)
	out = strconv.AppendUint(out, version, 10)
	out = append(out, `","lastUpdated":"`...)
	out = updated.UTC().AppendFormat(out, InstantFormat)
	out = append(out, '"')
	if len(old) == 0 || old[0] != '{' {
		return append(out, '}')
	}
	members(old, func(quoted, value []byte) bool {
		switch string(named(quoted)) {
		case "versionId", "lastUpdated", "_versionId", "_lastUpdated":
			return true
		}
		out = append(append(out, ','), quoted...)
		out = append(append(out, ':'), value...)
		return true
	})
	return append(out, '}')
}

// MergeMeta returns the body with the tags and security labels of the old body added to its own
// (REST-101). Identity is system and code; duplicates are removed; the submitted ones come first.
func MergeMeta(body, old []byte) []byte {
	for _, field := range []string{"security", "tag"} {
		kept := gjson.GetBytes(old, "meta."+field)
		if !kept.IsArray() {
			continue
		}
		var add [][]byte
		have := map[Coding]bool{}
		mine := gjson.GetBytes(body, "meta."+field)
		mine.ForEach(func(_, c gjson.Result) bool { have[codingOf(c)] = true; return true })
		kept.ForEach(func(_, c gjson.Result) bool {
			if k := codingOf(c); !have[k] {
				have[k] = true
				add = append(add, []byte(c.Raw))
			}
			return true
		})
		if len(add) > 0 {
			body = extendMeta(body, field, mine, bytes.Join(add, []byte(",")))
		}
	}
	return body
}

func codingOf(c gjson.Result) Coding {
	return Coding{System: c.Get("system").String(), Code: c.Get("code").String()}
}

func extendMeta(body []byte, field string, mine gjson.Result, add []byte) []byte {
	if mine.IsArray() {
		end := mine.Index + len(mine.Raw) - 1
		return splice(body, end, end, append([]byte(","), add...))
	}
	list := append(append([]byte(`"`+field+`":[`), add...), ']')
	if meta := gjson.GetBytes(body, "meta"); meta.IsObject() {
		at := meta.Index + len(meta.Raw) - 1
		if len(meta.Raw) > 2 {
			list = append([]byte(","), list...)
		}
		return splice(body, at, at, list)
	}
	at := len(body) - 1
	return splice(body, at, at, append(append([]byte(`,"meta":{`), list...), '}'))
}

// splice returns body with body[from:to] replaced by mid, in a new slice.
func splice(body []byte, from, to int, mid []byte) []byte {
	out := make([]byte, 0, len(body)-(to-from)+len(mid))
	out = append(out, body[:from]...)
	out = append(out, mid...)
	return append(out, body[to:]...)
}
