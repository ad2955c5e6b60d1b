package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"carerecord/store"
)

// wordQuery reads a value of _text or _content (SRCH-157):
//
//	any  = all ("OR" all)*
//	all  = one (["AND"] one)*
//	one  = "NOT" one | "(" any ")" | word
//
// AND, OR and NOT may be in lower case. Punctuation splits a word, and all its parts must match.
// Phrases, wildcards and words with a sign (+ or -) are refused: read as plain words they would
// have another meaning.
type wordQuery struct {
	param *param
	text  string
	at    int
	words int
}

const (
	maxQueryWords = 200 // of one value
	maxQueryDepth = 50  // nested brackets and NOT
)

// fullText returns the predicate of a value of _text or _content.
func (p *param) fullText(value string) (store.Pred, error) {
	value, err := Unescape(value)
	if err != nil {
		return nil, err
	}
	q := &wordQuery{param: p, text: value}
	pred, err := q.any(0)
	if err == nil && q.at < len(q.text) {
		err = q.fault("value", "unmatched )")
	}
	return pred, err
}

func (q *wordQuery) fault(code, what string) error {
	return fault(code, "%s: %s at character %d.", q.param.Code, what, utf8.RuneCountInString(q.text[:q.at])+1)
}

// peek returns the next token: a bracket, a word as written, or "".
func (q *wordQuery) peek() string {
	rest := strings.TrimLeftFunc(q.text[q.at:], unicode.IsSpace)
	q.at = len(q.text) - len(rest)
	if rest == "" {
		return ""
	}
	if rest[0] == '(' || rest[0] == ')' {
		return rest[:1]
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' })
	if end < 0 {
		end = len(rest)
	}
	return rest[:end]
}

// take consumes a token if it is next, in upper or lower case.
func (q *wordQuery) take(token string) bool {
	next := q.peek()
	if !strings.EqualFold(next, token) {
		return false
	}
	q.at += len(next)
	return true
}

func (q *wordQuery) any(depth int) (store.Pred, error) {
	var list []store.Pred
	for {
		pred, err := q.all(depth)
		if err != nil {
			return nil, err
		}
		if list = append(list, pred); !q.take("OR") {
			return anyOf(list...), nil
		}
	}
}

func (q *wordQuery) all(depth int) (store.Pred, error) {
	var list store.And
	for {
		pred, err := q.one(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, pred)
		if q.take("AND") {
			continue
		}
		if next := q.peek(); next == "" || next == ")" || strings.EqualFold(next, "OR") {
			return allOf(list), nil
		}
	}
}

func allOf(list store.And) store.Pred {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func (q *wordQuery) one(depth int) (store.Pred, error) {
	if depth > maxQueryDepth {
		return nil, q.fault("too-costly", "more than 50 nested brackets")
	}
	switch next := q.peek(); {
	case next == "", next == ")", strings.EqualFold(next, "AND"), strings.EqualFold(next, "OR"):
		return nil, q.fault("value", "expected a word")
	case q.take("NOT"):
		pred, err := q.one(depth + 1)
		return store.Not{Pred: pred}, err
	case q.take("("):
		pred, err := q.any(depth + 1)
		if err == nil && !q.take(")") {
			err = q.fault("value", "expected )")
		}
		return pred, err
	default:
		return q.word(next)
	}
}

// word returns the predicate of one word as written.
func (q *wordQuery) word(written string) (store.Pred, error) {
	switch {
	case strings.ContainsAny(written, "\"\u201c\u201d"):
		return nil, q.fault("not-supported", "phrases are not served: quotation mark")
	case strings.ContainsAny(written, "*?"):
		return nil, q.fault("not-supported", "wildcards are not served: * or ?")
	case strings.ContainsAny(written[:1], "-+"):
		return nil, q.fault("not-supported", "signs before words are not served, use AND and NOT: - or +")
	}
	var list store.And
	for part := range wordsOf(written) {
		if q.words++; q.words > maxQueryWords {
			return nil, q.fault("too-costly", "more than 200 words")
		}
		list = append(list, q.param.word(part))
	}
	if len(list) == 0 {
		return nil, q.fault("value", "a word without letters and digits")
	}
	q.at += len(written)
	return allOf(list), nil
}

// word returns the predicate of a folded word.
func (p *param) word(folded string) store.Pred {
	pred := eq(p.number, classContent, folded)
	if p.narrative == 0 {
		return pred
	}
	return store.Or{pred, eq(p.narrative, classContent, folded)}
}
