// Package capability writes the CapabilityStatement from the routes of the server and the search
// parameters of its index.
package capability

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"carerecord/fhir/index"
)

// Server describes the server whose CapabilityStatement is written.
type Server struct {
	Base              string
	Software          string
	Version           string
	Types             []string // resource types that are served
	Interactions      []string // type-level interactions that are routed
	System            []string // system-level interactions
	ConditionalDelete string   // single or multiple
	PatchFormat       []string
	Compartments      []string // types with a compartment
	Operations        []Operation
	Index             *index.Indexer
	UpdateCreate      bool
	Persons           bool // references to Patients mean persons (IDN-125)
	Security          Security
}

// Operation is a routed operation. Repeats of one operation are listed once.
type Operation struct {
	Name       string
	Types      []string // types on which it can be invoked; nil for all
	Definition string   // canonical URL of the OperationDefinition; empty for one of the standard
}

type statement struct {
	ResourceType   string         `json:"resourceType"`
	URL            string         `json:"url"`
	Version        string         `json:"version"`
	Name           string         `json:"name"`
	Status         string         `json:"status"`
	Date           string         `json:"date"`
	Kind           string         `json:"kind"`
	Software       software       `json:"software"`
	Implementation implementation `json:"implementation"`
	FHIRVersion    string         `json:"fhirVersion"`
	Format         []string       `json:"format"`
	PatchFormat    []string       `json:"patchFormat,omitempty"`
	Rest           []rest         `json:"rest"`
}

type software struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type implementation struct {
	Description string `json:"description"`
	URL         string `json:"url"`
}

type rest struct {
	Mode        string        `json:"mode"`
	Security    *security     `json:"security,omitempty"`
	Resource    []resource    `json:"resource"`
	Interaction []interaction `json:"interaction,omitempty"`
	SearchParam []searchParam `json:"searchParam,omitempty"`
	Compartment []string      `json:"compartment,omitempty"`
}

type interaction struct {
	Code string `json:"code"`
}

type resource struct {
	Type              string        `json:"type"`
	Interaction       []interaction `json:"interaction"`
	Versioning        string        `json:"versioning"`
	ReadHistory       bool          `json:"readHistory"`
	UpdateCreate      bool          `json:"updateCreate"`
	ConditionalCreate bool          `json:"conditionalCreate"`
	ConditionalRead   string        `json:"conditionalRead"`
	ConditionalUpdate bool          `json:"conditionalUpdate"`
	ConditionalDelete string        `json:"conditionalDelete"`
	SearchInclude     []string      `json:"searchInclude,omitempty"`
	SearchRevInclude  []string      `json:"searchRevInclude,omitempty"`
	SearchParam       []searchParam `json:"searchParam,omitempty"`
	Operation         []operation   `json:"operation,omitempty"`
	Documentation     string        `json:"documentation,omitempty"`
}

type operation struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
}

type searchParam struct {
	Name          string `json:"name"`
	Definition    string `json:"definition,omitempty"`
	Type          string `json:"type"`
	Documentation string `json:"documentation,omitempty"`
}

// What a search means where Patients are joined to persons (IDN-120, 121, 124).
const (
	referenceMeansPerson = "A reference to a Patient, and :identifier with a national number, means the person: rows that name any visible Patient of this person, or its national number, match. For clients that write their organisation's data the value is literal."
	patientsArePersons   = "A search returns each person once: of the visible Patients that match, the one of the highest rank. Totals and pages count persons. A read, and a search by _id, returns the Patient that is named; $sources returns all visible Patients of the person, $ihe-pix their identifiers. Compartments, $everything, chains, _has and _revinclude are of the person. For clients that write their organisation's data each Patient is a row of its own."
)

// revised is the date of the last change of the statement's structure.
const revised = "2026-11-30"

// Statement writes the CapabilityStatement. It also returns an ETag, which changes exactly
// when the body changes (REST-250, 251).
func Statement(srv Server) (body []byte, etag string, err error) {
	s := statement{ResourceType: "CapabilityStatement", URL: srv.Base + "/metadata", Version: srv.Version, Name: "CareRecord", Status: "active",
		Date: revised, Kind: "instance", Software: software{srv.Software, srv.Version},
		Implementation: implementation{"Shared care record", srv.Base}, FHIRVersion: "4.0.1",
		Format: []string{"application/fhir+json", "json"}, PatchFormat: srv.PatchFormat}
	r := rest{Mode: "server", Security: srv.Security.element(), SearchParam: globalParams()}
	for _, code := range srv.System {
		r.Interaction = append(r.Interaction, interaction{code})
	}
	revIncludes := srv.revIncludes()
	for _, name := range srv.Compartments {
		r.Compartment = append(r.Compartment, "http://hl7.org/fhir/CompartmentDefinition/"+strings.ToLower(name))
	}
	for _, typ := range srv.Types {
		r.Resource = append(r.Resource, srv.resource(typ, revIncludes[typ]))
	}
	s.Rest = []rest{r}
	if body, err = json.Marshal(s); err != nil {
		return nil, "", fmt.Errorf("write the CapabilityStatement: %w", err)
	}
	sum := sha256.Sum256(body)
	return body, `W/"` + hex.EncodeToString(sum[:8]) + `"`, nil
}

// globalParams returns the parameters that all types have and the index does not: their values
// are not keys of the resource.
func globalParams() []searchParam {
	return []searchParam{{"_filter", "http://hl7.org/fhir/SearchParameter/filter", "special", ""}, {Name: "_list", Type: "special"}}
}

// revIncludes returns, for each type, the reference parameters that may refer to it, as Type:code.
func (srv Server) revIncludes() map[string][]string {
	out := map[string][]string{}
	for _, typ := range srv.Types {
		for _, p := range srv.Index.Params(typ) {
			if p.Kind != index.Reference {
				continue
			}
			for _, target := range p.Targets {
				out[target] = append(out[target], typ+":"+p.Code)
			}
		}
	}
	return out
}

// resource describes one type. revIncludes are the reference parameters that may refer to it.
func (srv Server) resource(typ string, revIncludes []string) resource {
	r := resource{Type: typ, Versioning: "versioned", ReadHistory: slices.Contains(srv.Interactions, "vread"), UpdateCreate: srv.UpdateCreate,
		ConditionalCreate: slices.Contains(srv.Interactions, "create"), ConditionalRead: "full-support",
		ConditionalUpdate: slices.Contains(srv.Interactions, "update"), ConditionalDelete: srv.ConditionalDelete, SearchRevInclude: revIncludes}
	if srv.Persons && typ == "Patient" {
		r.Documentation = patientsArePersons
	}
	for _, code := range srv.Interactions {
		r.Interaction = append(r.Interaction, interaction{code})
	}
	for _, p := range srv.Index.Params(typ) {
		documentation := ""
		if srv.Persons && p.Kind == index.Reference && slices.Contains(p.Targets, "Patient") {
			documentation = referenceMeansPerson
		}
		r.SearchParam = append(r.SearchParam, searchParam{p.Code, p.URL, string(p.Kind), documentation})
		if p.Kind == index.Reference {
			r.SearchInclude = append(r.SearchInclude, typ+":"+p.Code)
		}
	}
	for _, op := range srv.Operations {
		base := "Resource"
		if op.Types != nil {
			base = typ
		}
		o := operation{op.Name, cmp.Or(op.Definition, "http://hl7.org/fhir/OperationDefinition/"+base+"-"+op.Name)}
		if (op.Types == nil || slices.Contains(op.Types, typ)) && !slices.Contains(r.Operation, o) {
			r.Operation = append(r.Operation, o)
		}
	}
	return r
}
