package launch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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
	switch {
	case one.Reference == "" && one.Canonical == "" && none:
		return "needs a reference, a canonical or an identifier in each object."
	case one.Reference == "" && one.Type == "":
		return "needs a type beside a canonical or an identifier."
	case strings.Contains(one.Reference, "://"):
		return "has relative references alone."
	case one.Role != nil && *one.Role == "":
		return "has an empty role."
	case (typ == "Patient" || typ == "Encounter") && (one.Role == nil || *one.Role == "launch"):
		return "names the patient and the encounter of the launch in patient and encounter."
	}
	return ""
}
