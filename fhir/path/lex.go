package path

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// lexeme is a token of the full language.
type lexeme struct {
	kind byte // i identifier, ` delimited identifier, s string, n number, @ date or time, % variable, $ special, o operator, 0 end
	text string
	at   int // byte where it begins
}

// lexer splits a source into lexemes. A fault panics with an *Error, which Full recovers.
type lexer struct {
	src string
	pos int
	out []lexeme
}

func lex(src string) []lexeme {
	l := &lexer{src: src}
	for l.skipBlank(); l.pos < len(l.src); l.skipBlank() {
		l.readLexeme()
	}
	return append(l.out, lexeme{at: len(src)})
}

// skipBlank skips white space and comments.
func (l *lexer) skipBlank() {
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.pos++
		case strings.HasPrefix(rest, "//"):
			if i := strings.IndexByte(rest, '\n'); i >= 0 {
				l.pos += i
			} else {
				l.pos = len(l.src)
			}
		case strings.HasPrefix(rest, "/*"):
			i := strings.Index(rest[2:], "*/")
			if i < 0 {
				fail(Syntax, "a comment does not end")
			}
			l.pos += i + 4
		default:
			return
		}
	}
}

func (l *lexer) add(kind byte, text string, length int) {
	l.out = append(l.out, lexeme{kind, text, l.pos})
	l.pos += length
}

func (l *lexer) readLexeme() {
	rest := l.src[l.pos:]
	switch c := rest[0]; {
	case isLetter(c):
		n := identifierLength(rest)
		l.add('i', rest[:n], n)
	case isDigit(c):
		n := countDigits(rest)
		if n+1 < len(rest) && rest[n] == '.' && isDigit(rest[n+1]) {
			n += 1 + countDigits(rest[n+1:])
		}
		l.add('n', rest[:n], n)
	case c == '\'' || c == '`':
		kind := byte('s')
		if c == '`' {
			kind = '`'
		}
		text, n := readQuoted(rest)
		l.add(kind, text, n)
	case c == '@':
		n := 1 + momentLength(rest[1:])
		l.add('@', rest[1:n], n)
	case c == '%' && len(rest) > 1 && (rest[1] == '`' || rest[1] == '\''):
		text, n := readQuoted(rest[1:])
		l.add('%', text, n+1)
	case (c == '%' || c == '$') && identifierLength(rest[1:]) > 0:
		n := 1 + identifierLength(rest[1:])
		l.add(c, rest[1:n], n)
	default:
		l.readOperator(rest)
	}
}

func (l *lexer) readOperator(rest string) {
	for _, op := range []string{"<=", ">=", "!=", "!~", "=", "~", "<", ">", "+", "-", "*", "/", "&", "|", ".", ",", "(", ")", "[", "]", "{", "}"} {
		if strings.HasPrefix(rest, op) {
			l.add('o', op, len(op))
			return
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	fail(Syntax, "unexpected character %q", r)
}

func identifierLength(s string) int {
	n := 0
	for n < len(s) && (isLetter(s[n]) || n > 0 && isDigit(s[n])) {
		n++
	}
	return n
}

func countDigits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// readQuoted reads text in quotes and returns its value and its length.
func readQuoted(s string) (string, int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case s[0]:
			return b.String(), i + 1
		case '\\':
			i++
			if i == len(s) {
				break
			}
			if s[i] == 'u' && i+4 < len(s) {
				n, err := strconv.ParseUint(s[i+1:i+5], 16, 32)
				if err != nil {
					fail(Syntax, "unknown escape \\%s", s[i:i+5])
				}
				b.WriteRune(rune(n))
				i += 4
				continue
			}
			at := strings.IndexByte("rntf\\/'\"`", s[i])
			if at < 0 {
				fail(Syntax, "unknown escape \\%c", s[i])
			}
			b.WriteByte("\r\n\t\f\\/'\"`"[at])
		default:
			b.WriteByte(s[i])
		}
	}
	fail(Syntax, "text that begins with %c does not end", s[0])
	return "", 0
}

// momentLength returns the length of the date or time at the beginning of s, which follows the @.
func momentLength(s string) int {
	n := 0
	take := func(before string, width int) bool {
		if !strings.HasPrefix(s[n:], before) || countDigits(s[n+len(before):]) < width {
			return false
		}
		n += len(before) + width
		return true
	}
	clock := strings.HasPrefix(s, "T")
	if !clock {
		if !take("", 4) {
			fail(Syntax, "@ must be followed by a date or a time")
		}
		if take("-", 2) {
			take("-", 2)
		}
		if !strings.HasPrefix(s[n:], "T") {
			return n
		}
	}
	n++
	if take("", 2) && take(":", 2) && take(":", 2) && n+1 < len(s) && s[n] == '.' && isDigit(s[n+1]) {
		n += 1 + countDigits(s[n+1:])
	}
	if clock {
		return n
	}
	if strings.HasPrefix(s[n:], "Z") {
		return n + 1
	}
	if whole := n; take("+", 2) || take("-", 2) {
		if !take(":", 2) {
			n = whole
		}
	}
	return n
}
