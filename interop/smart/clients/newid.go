package clients

import (
	"crypto/rand"
	"strings"
)

// newID returns the id of a new client: random, of unreserved characters, with a prefix that no id of a
// person has (SMART-053).
func newID() string { return "app-" + strings.ToLower(rand.Text()) }
