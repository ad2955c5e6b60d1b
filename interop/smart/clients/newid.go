package clients

import (
	"crypto/rand"
	"strings"
)

// newID returns the id of a new client: random, of unreserved characters, with a prefix that no id of a
// person has (SMART-053).
func newID() string { return idPrefix + strings.ToLower(rand.Text()) }

const idPrefix = "app-"

// OfRegistry reports whether an id has the form of those that a registry makes: other clients have the ids of a policy folder.
func OfRegistry(id string) bool {
	text, ok := strings.CutPrefix(id, idPrefix)
	return ok && len(text) == len(rand.Text()) && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
