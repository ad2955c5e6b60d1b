package index_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
)

// CON-406: a type without a rule is nobody's to see, so every type has one.
func TestEveryTypeHasOwnersRule(t *testing.T) {
	x := newIndexer(t)
	types := index.OwnerTypes()
	slices.Sort(types)
	if diff := cmp.Diff(r4.Resources(), types); diff != "" {
		t.Errorf("owners.txt against the types of R4 (-want +got):\n%s", diff)
	}
	for _, typ := range types {
		// Paths that lead nowhere are found when the type is first used.
		if _, err := x.Index(typ, "1", now, []byte(`{"resourceType":"`+typ+`"}`)); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

// Every type of the patient compartment has owners, by the standard's own list.
func TestCompartmentTypesAreOwned(t *testing.T) {
	x := newIndexer(t)
	for typ := range r4.Compartment("Patient") {
		row, err := x.Index(typ, "1", now, []byte(`{"resourceType":"`+typ+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		if row.Owners.Rule != index.Owned && typ != "Device" && typ != "Schedule" && typ != "SupplyRequest" && typ != "MeasureReport" {
			t.Errorf("%s is in the patient compartment and has rule %v", typ, row.Owners.Rule)
		}
	}
}

func TestOwners(t *testing.T) {
	owned := func(ids ...string) index.Ownership { return index.Ownership{Rule: index.Owned, Patients: ids} }
	for _, c := range []struct {
		name, body string
		want       index.Ownership
		mentions   string
	}{
		{"CON-406 subject", `{"resourceType":"Observation","subject":{"reference":"Patient/1"}}`, owned("1"), ""},
		{"CON-406 subject, absolute and with version", `{"resourceType":"Observation","subject":{"reference":"http://h/fhir/Patient/1/_history/3"}}`, owned("1"), ""},
		{"CON-406 patient", `{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"}}`, owned("1"), ""},
		{"CON-406 beneficiary, not who pays", `{"resourceType":"Coverage","beneficiary":{"reference":"Patient/1"},"subscriber":{"reference":"Patient/2"},"payor":[{"reference":"Patient/3"}]}`, owned("1"), "2 3"},
		{"CON-406 Task.for", `{"resourceType":"Task","for":{"reference":"Patient/1"},"owner":{"reference":"Patient/2"}}`, owned("1"), "2"},
		{"CON-406 Device.patient", `{"resourceType":"Device","patient":{"reference":"Patient/1"}}`, index.Ownership{Rule: index.Owned, Patients: []string{"1"}, Optional: true}, ""},
		{"a device of nobody", `{"resourceType":"Device","status":"active"}`, index.Ownership{Rule: index.Unowned}, ""},
		{"a patient is about itself, a linked one is mentioned", `{"resourceType":"Patient","link":[{"other":{"reference":"Patient/2"},"type":"seealso"}]}`, owned("id"), "2"},
		{"CON-407 performer", `{"resourceType":"Observation","subject":{"reference":"Patient/1"},"performer":[{"reference":"Patient/2"}]}`, owned("1"), "2"},
		{"CON-407 recipient and sender", `{"resourceType":"Communication","subject":{"reference":"Patient/1"},"recipient":[{"reference":"Patient/2"}],"sender":{"reference":"Patient/1"}}`, owned("1"), "2"},
		{"mentions in contained resources and extensions", `{"resourceType":"Observation","subject":{"reference":"Patient/1"},"contained":[{"resourceType":"Procedure","id":"p","subject":{"reference":"Patient/7"}}],"extension":[{"url":"u","valueReference":{"reference":"http://h/fhir/Patient/8"}}]}`, owned("1"), "7 8"},
		{"CON-406 several owners", `{"resourceType":"Account","subject":[{"reference":"Patient/2"},{"reference":"Patient/1"},{"reference":"Patient/2"},{"reference":"Practitioner/1"}]}`, owned("1", "2"), ""},
		{"CON-406 unowned", `{"resourceType":"Practitioner"}`, index.Ownership{Rule: index.Unowned}, ""},
		{"CON-406 identifier only", `{"resourceType":"Observation","subject":{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000009"}}}`,
			index.Ownership{Rule: index.Owned, Unresolved: true, Identifiers: []index.Identifier{{System: "https://fhir.nhs.uk/Id/nhs-number", Value: "9000000009"}}}, ""},
		{"CON-406 display only", `{"resourceType":"Observation","subject":{"display":"Somebody"}}`, index.Ownership{Rule: index.Owned, Unresolved: true}, ""},
		{"CON-406 no subject", `{"resourceType":"Observation"}`, index.Ownership{Rule: index.Owned, Unresolved: true}, ""},
		{"CON-406 foreign patient", `{"resourceType":"Observation","subject":{"reference":"http://other/fhir/Patient/1"}}`, index.Ownership{Rule: index.Owned, Unresolved: true, Foreign: []string{"http://other/fhir/Patient/1"}}, ""},
		{"CON-641 foreign patient with an identifier", `{"resourceType":"Observation","subject":{"reference":"http://other/fhir/Patient/1","identifier":{"system":"s","value":"1"}}}`,
			index.Ownership{Rule: index.Owned, Unresolved: true, Identifiers: []index.Identifier{{System: "s", Value: "1"}}, Foreign: []string{"http://other/fhir/Patient/1"}}, ""},
		{"CON-406 contained patient", `{"resourceType":"Observation","subject":{"reference":"#p"}}`, index.Ownership{Rule: index.Owned, Unresolved: true}, ""},
		{"CON-406 through a group", `{"resourceType":"Observation","subject":{"reference":"Group/g"}}`, index.Ownership{Rule: index.Owned, Unresolved: true, InheritFrom: []fhir.Ref{{Type: "Group", ID: "g"}}}, ""},
		{"CON-406 subject of an unowned type", `{"resourceType":"Observation","subject":{"reference":"Location/1"}}`, index.Ownership{Rule: index.Owned, Unresolved: true}, ""},
		{"CON-406 Group members", `{"resourceType":"Group","member":[{"entity":{"reference":"Patient/1"}},{"entity":{"reference":"Group/2"}}]}`, index.Ownership{Rule: index.Owned, Patients: []string{"1"}, InheritFrom: []fhir.Ref{{Type: "Group", ID: "2"}}}, ""},
		{"CON-406 List items", `{"resourceType":"List","subject":{"reference":"Patient/1"},"entry":[{"item":{"reference":"Condition/b"}},{"item":{"reference":"Condition/a/_history/2"}},{"item":{"reference":"Practitioner/1"}}]}`,
			index.Ownership{Rule: index.Owned, Patients: []string{"1"}, InheritFrom: []fhir.Ref{{Type: "Condition", ID: "a"}, {Type: "Condition", ID: "b"}}}, ""},
		{"CON-406 Linkage", `{"resourceType":"Linkage","item":[{"resource":{"reference":"Patient/1"}},{"resource":{"reference":"Patient/2"}}]}`, owned("1", "2"), ""},
		{"CON-406 Provenance", `{"resourceType":"Provenance","target":[{"reference":"Observation/1"}],"agent":[{"who":{"reference":"Patient/2"}}]}`, index.Ownership{Rule: index.Owned, Unresolved: true, InheritFrom: []fhir.Ref{{Type: "Observation", ID: "1"}}}, "2"},
		{"CON-406 AuditEvent", `{"resourceType":"AuditEvent","agent":[{"who":{"reference":"Patient/2"}}],"entity":[{"what":{"reference":"Patient/1"}}]}`, owned("1"), "2"},
		{"CON-406 Binary", `{"resourceType":"Binary","securityContext":{"reference":"DocumentReference/1"}}`, index.Ownership{Rule: index.Owned, Unresolved: true, InheritFrom: []fhir.Ref{{Type: "DocumentReference", ID: "1"}}, SecurityContext: []fhir.Ref{{Type: "DocumentReference", ID: "1"}}}, ""},
		{"an appointment is its patient's, not who else comes", `{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/1"}},{"actor":{"reference":"RelatedPerson/2"}},{"actor":{"reference":"Practitioner/3"}}]}`, owned("1"), ""},
		{"the schedule of a practitioner is nobody's", `{"resourceType":"Schedule","actor":[{"reference":"Practitioner/1"}]}`, index.Ownership{Rule: index.Unowned}, ""},
		{"the schedule of a patient", `{"resourceType":"Schedule","actor":[{"reference":"Patient/1"}]}`, index.Ownership{Rule: index.Owned, Patients: []string{"1"}, Optional: true}, ""},
		{"a schedule of somebody unknown", `{"resourceType":"Schedule","actor":[{"reference":"http://other/X/1"}]}`, index.Ownership{Rule: index.Owned, Unresolved: true, Optional: true, Foreign: []string{"http://other/X/1"}}, ""},
		{"a slot is its schedule's, if that is somebody's", `{"resourceType":"Slot","schedule":{"reference":"Schedule/1"}}`, index.Ownership{Rule: index.Owned, Unresolved: true, Optional: true, InheritFrom: []fhir.Ref{{Type: "Schedule", ID: "1"}}}, ""},
		{"a metric is its device's", `{"resourceType":"DeviceMetric","source":{"reference":"Device/1"},"parent":{"reference":"Device/2"}}`, index.Ownership{Rule: index.Owned, Unresolved: true, Optional: true, InheritFrom: []fhir.Ref{{Type: "Device", ID: "1"}, {Type: "Device", ID: "2"}}}, ""},
		{"a stored bundle is of all whom it mentions", `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Condition","subject":{"reference":"Patient/1"}}},{"resource":{"resourceType":"Condition","subject":{"reference":"Patient/2"}}}]}`, owned("1", "2"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			typ, _, _ := strings.Cut(strings.TrimPrefix(c.body, `{"resourceType":"`), `"`)
			row, err := newIndexer(t).Index(typ, "id", now, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, row.Owners, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("owners of %s (-want +got):\n%s", c.body, diff)
			}
			if got := strings.Join(row.Mentions, " "); got != c.mentions {
				t.Errorf("mentions of %s: got %q, want %q", c.body, got, c.mentions)
			}
		})
	}
}
