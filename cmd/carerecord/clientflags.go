package main

import (
	"regexp"
	"strings"
)

// clientFlag returns the flag of "client add" that sets a member of a registration; "" for a member without one.
func clientFlag(member string) string {
	return map[string]string{"name": "--name", "publisher": "--publisher", "kind": "--kind", "redirectURIs": "--redirect", "launchURLs": "--launch-url", "origins": "--web-origin",
		"audience": "--audience", "scopes": "--scopes", "purposes": "--purpose", "organisation": "--organisation", "rights": "--right", "flow": "--flow", "idPrefix": "--id-prefix",
		"offline": "--offline", "intents": "--intent", "contact": "--contact", "termsURL": "--terms-url", "privacyURL": "--privacy-url", "logo": "--logo", "evidence": "--evidence",
		"agreementEnds": "--agreement-ends", "review": "--review", "keys": "--keys-file", "keysURL": "--keys-url"}[member]
}

// flagsError is an error about a registration that names flags in place of members.
type flagsError struct {
	error
	text string
}

// Error returns the text with flags.
func (e flagsError) Error() string { return e.text }

// Unwrap returns the error with members.
func (e flagsError) Unwrap() error { return e.error }

// memberOfLine matches the member at the beginning of a line of an error, with its position in a list.
var memberOfLine = regexp.MustCompile(`^([a-zA-Z]+)(\[[0-9]+\])?: `)

// withFlags returns an error about a registration with the flags that set what is wrong.
func withFlags(err error) error {
	lines := strings.Split(err.Error(), "\n")
	const head = "refused: "
	for i, line := range lines {
		line, first := strings.CutPrefix(line, head)
		found := memberOfLine.FindStringSubmatch(line)
		if found == nil || i == 0 && !first {
			continue
		}
		if flag := clientFlag(found[1]); flag != "" {
			line = flag + found[2] + ": " + strings.TrimPrefix(line, found[0])
		}
		if lines[i] = line; first {
			lines[i] = head + line
		}
	}
	return flagsError{err, strings.Join(lines, "\n")}
}
