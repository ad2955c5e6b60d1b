package synth

import (
	"fmt"
	"slices"
)

// Shape selects which Patients a Region has.
type Shape uint8

const (
	// OnePatient is one Patient for each person, from the registered practice. The resources of all
	// sources refer to it.
	OnePatient Shape = iota
	// PatientPerSource is one Patient for each person and source, and one from the patient index.
	// The resources of a source refer to its own Patient. The package comment describes this shape.
	PatientPerSource
)

// UnmarshalText reads the spelling of the command line: "single" is OnePatient, "region" is
// PatientPerSource.
func (s *Shape) UnmarshalText(text []byte) error {
	switch string(text) {
	case "single":
		*s = OnePatient
	case "region":
		*s = PatientPerSource
	default:
		return fmt.Errorf("%q is not a shape: use region or single", text)
	}
	return nil
}

// PatientIndex returns the organisation that holds the authoritative demographics of the region. It
// is a source of the shape PatientPerSource only.
func PatientIndex() Organisation {
	return Organisation{"XPI01", "Tamarside Patient Index", "index", "feed-xpi01", "xpi01."}
}

// Identity lists the organisations by the weight of the NHS numbers that they send.
type Identity struct {
	Index    string   // ODS code of the patient index
	Traced   []string // ODS codes: numbers were traced before sending, so they count unless their status says otherwise
	Untraced []string // ODS codes: numbers do not count
}

// RegionIdentity returns the Identity of the shape PatientPerSource. Traced and Untraced together are
// the Sources, in their order. The mental-health trust is untraced.
func RegionIdentity() Identity {
	id := Identity{Index: PatientIndex().ODS}
	for _, o := range Sources() {
		if o.Kind == "mental-health" {
			id.Untraced = append(id.Untraced, o.ODS)
		} else {
			id.Traced = append(id.Traced, o.ODS)
		}
	}
	return id
}

// traced reports whether the organisation is a traced source.
func (id Identity) traced(ods string) bool { return slices.Contains(id.Traced, ods) }
