package launch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"carerecord/fhir/r4"
	"carerecord/interop/smart/oauth"
)

// maxContext is how many objects fhirContext may have.
const maxContext = 20

// contextObject is an object of fhirContext (SMART-373, 374).
type contextObject struct {
	Reference  string          `json:"reference,omitempty"`
	Canonical  string          `json:"canonical,omitempty"`
	Identifier json.RawMessage `json:"identifier,omitempty"`
	Type       string          `json:"type,omitempty"`
	Role       *string         `json:"role,omitempty"`
}

// readContext reads fhirContext and writes what was understood: that is what is checked, stored and told to the app. Members with
// another spelling, and members that the standard does not have, are refused, so that nobody reads another reference than was checked.
func readContext(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	refuse := func(text string) (json.RawMessage, error) {
		return nil, oauth.Refuse(oauth.InvalidRequest, "fhirContext "+text)
	}
	var objects []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &objects); err != nil || len(objects) > maxContext {
		return refuse("must be an array of at most 20 objects.")
	}
	list := make([]contextObject, len(objects))
	for i, members := range objects {
		for name := range members {
			switch name {
			case "reference", "canonical", "identifier", "type", "role":
			default:
				return refuse("has no " + memberName(name) + " in the standard.")
			}
		}
		text, err := json.Marshal(members)
		if err != nil || json.Unmarshal(text, &list[i]) != nil {
			return refuse("has a member of the wrong type.")
		}
		if wrong := list[i].mistake(); wrong != "" {
			return refuse(wrong)
		}
	}
	out, err := json.Marshal(list)
	if err != nil {
		return refuse("cannot be read.")
	}
	return out, nil
}

// WithReference returns a fhirContext, which may be nil, with one more relative reference; "" adds none, nor does one that it has.
func WithReference(context json.RawMessage, reference string) (json.RawMessage, error) {
	var list []contextObject
	if len(context) > 0 {
		if err := json.Unmarshal(context, &list); err != nil {
			return nil, fmt.Errorf("read a stored fhirContext: %w", err)
		}
	}
	if reference == "" || slices.ContainsFunc(list, func(one contextObject) bool { return one.Reference == reference && one.Role == nil }) {
		return context, nil
	}
	return json.Marshal(append(list, contextObject{Reference: reference}))
}

// WithoutReference returns a stored fhirContext without the objects that name a relative reference in no role; nil for an empty one.
func WithoutReference(context json.RawMessage, reference string) (json.RawMessage, error) {
	var list []contextObject
	if err := json.Unmarshal(context, &list); err != nil {
		return nil, fmt.Errorf("read a stored fhirContext: %w", err)
	}
	list = slices.DeleteFunc(list, func(one contextObject) bool { return one.Reference == reference && one.Role == nil })
	if len(list) == 0 {
		return nil, nil
	}
	return json.Marshal(list)
}

// mistake says what is wrong with an object; empty for nothing.
func (one contextObject) mistake() string {
	typ, _, _ := strings.Cut(one.Reference, "/")
	none := one.Identifier == nil || bytes.Equal(one.Identifier, []byte("null"))
	ofLaunch := one.Role == nil || *one.Role == "launch"
	switch {
	case one.Reference == "" && one.Canonical == "" && none:
		return "needs a reference, a canonical or an identifier in each object."
	case one.Reference == "" && one.Type == "":
		return "needs a type beside a canonical or an identifier."
	case strings.Contains(one.Reference, "://"):
		return "has relative references alone."
	case one.Type != "" && !r4.IsResource(one.Type), one.Reference != "" && one.Type != "" && one.Type != typ:
		return "has a type that is none, or not that of the reference."
	case !none && !isIdentifier(one.Identifier):
		return "has an identifier without a system and a value."
	case one.Canonical != "" && !isAbsolute(one.Canonical):
		return "has a canonical that is no absolute address."
	case one.Role != nil && *one.Role != "launch" && !isAbsolute(*one.Role):
		return "has a role that is neither launch nor an absolute URI."
	case ofLaunch && (lists(typ) || lists(one.Type)):
		return "names the patient and the encounter of the launch in patient and encounter."
	}
	return ""
}

// lists reports whether the token response has a member of its own for a type (SMART-374).
func lists(typ string) bool { return typ == "Patient" || typ == "Encounter" }

// isAbsolute reports whether a text is an absolute URI.
func isAbsolute(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "")
}

// isIdentifier reports whether a value is an Identifier with a system and a value, and nothing that says another person: no assigner.
func isIdentifier(raw json.RawMessage) bool {
	var members map[string]json.RawMessage
	var one struct{ System, Value string }
	if json.Unmarshal(raw, &members) != nil || json.Unmarshal(raw, &one) != nil {
		return false
	}
	for name := range members {
		if !slices.Contains([]string{"system", "value", "use", "type", "period"}, name) {
			return false
		}
	}
	return isAbsolute(one.System) && one.Value != ""
}
