package index

import "strings"

// escapable are the characters that a backslash may escape (SRCH-014).
const escapable = `,$|\`

// Split cuts raw at every unescaped sep. The parts stay escaped. A backslash before any character
// but , $ | and \ is an *Error of code value.
func Split(raw string, sep byte) ([]string, error) {
	var parts []string
	start := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			if i+1 == len(raw) || strings.IndexByte(escapable, raw[i+1]) < 0 {
				return nil, badEscape(raw)
			}
			i++
		case sep:
			parts = append(parts, raw[start:i])
			start = i + 1
		}
	}
	return append(parts, raw[start:]), nil
}

// Escape returns a value with a backslash before each character that separates values or parts (SRCH-014).
func Escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`, `$`, `\$`, `,`, `\,`).Replace(value)
}

// Unescape removes the backslashes of SRCH-014.
func Unescape(raw string) (string, error) {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw, nil
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' {
			i++
			if i == len(raw) || strings.IndexByte(escapable, raw[i]) < 0 {
				return "", badEscape(raw)
			}
		}
		b = append(b, raw[i])
	}
	return string(b), nil
}

func badEscape(raw string) error {
	return fault("value", `In %q a backslash is followed by a character other than a comma, $, | or a backslash.`, raw)
}
