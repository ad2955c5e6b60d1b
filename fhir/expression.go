package fhir

import (
	"slices"
	"strings"
)

// AppendElement appends the element of a JSON member to a FHIRPath, after a dot unless
// the path is empty. A name that FHIRPath reserves, or that is not an identifier, is put
// between backquotes. The member _NAME holds the id and the extensions of the primitive
// NAME and is appended as NAME.
func AppendElement(path []byte, member string) []byte {
	if len(path) > 0 {
		path = append(path, '.')
	}
	if len(member) > 1 {
		member = strings.TrimPrefix(member, "_")
	}
	if isIdentifier(member) && !slices.Contains(reservedWords, member) {
		return append(path, member...)
	}
	path = append(path, '`')
	for _, r := range member {
		switch r {
		case '`', '\\':
			path = append(path, '\\', byte(r))
		case '\n':
			path = append(path, `\n`...)
		case '\r':
			path = append(path, `\r`...)
		default:
			path = append(path, string(r)...)
		}
	}
	return append(path, '`')
}

// reservedWords are the words of the FHIRPath grammar that cannot name an element
// unless delimited.
var reservedWords = []string{
	"and", "div", "false", "implies", "mod", "or", "true", "xor",
	"day", "days", "hour", "hours", "millisecond", "milliseconds", "minute", "minutes", "month", "months",
	"second", "seconds", "week", "weeks", "year", "years",
}

// isIdentifier reports whether a name is an identifier of FHIRPath.
func isIdentifier(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
