package policy

import (
	"github.com/tidwall/gjson"

	"carerecord/conformance/law/brokenguard"
)

func broken(name string) bool { return brokenguard.On(name) }

// ownMeta is the part of a body that has its own labels alone.
func ownMeta(body []byte) []byte {
	return []byte(gjson.GetBytes(body, "meta").Raw)
}

// embeds reports whether a body is a resource that embeds others.
func embeds(body []byte) bool {
	switch gjson.GetBytes(body, "resourceType").Str {
	case "Bundle", "Parameters", "Binary":
		return true
	}
	return false
}
