// Package conformance says what the server is: the CapabilityStatement, made
// from what is really routed and indexed.
package conformance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"carerecord/fhir/index"
)

// Capability is what a server tells of itself.
type Capability struct {
	Base              string
	Software          string
	Version           string
	Types             []string // resource types that are served
	Interactions      []string // type-level interactions that are routed
	System            []string // system-level interactions
	ConditionalDelete string   // single or multiple
	PatchFormat       []string
	Compartments      []string // types that have one
	Operations        []Operation
	Index             *index.Indexer
	UpdateCreate      bool

	pointing map[string][]string
}

// Operation is an operation that is routed, once or more.
type Operation struct {
	Name  string
	Types []string // that have it; nil for all
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
}

type operation struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
}

type searchParam struct {
	Name       string `json:"name"`
	Definition string `json:"definition,omitempty"`
	Type       string `json:"type"`
}

// date is when the shape of the statement last changed.
const date = "2026-11-24"

// Statement writes the CapabilityStatement, and an ETag that changes exactly
// when its content does (REST-250, 251).
func Statement(c Capability) (body []byte, etag string, err error) {
	s := statement{ResourceType: "CapabilityStatement", URL: c.Base + "/metadata", Version: c.Version, Name: "CareRecord", Status: "active",
		Date: date, Kind: "instance", Software: software{c.Software, c.Version},
		Implementation: implementation{"Shared care record", c.Base}, FHIRVersion: "4.0.1",
		Format: []string{"application/fhir+json", "json"}, PatchFormat: c.PatchFormat}
	r := rest{Mode: "server", SearchParam: everywhere()}
	for _, code := range c.System {
		r.Interaction = append(r.Interaction, interaction{code})
	}
	c.pointing = c.pointers()
	for _, name := range c.Compartments {
		r.Compartment = append(r.Compartment, "http://hl7.org/fhir/CompartmentDefinition/"+strings.ToLower(name))
	}
	for _, typ := range c.Types {
		r.Resource = append(r.Resource, c.resource(typ))
	}
	s.Rest = []rest{r}
	if body, err = json.Marshal(s); err != nil {
		return nil, "", fmt.Errorf("write the CapabilityStatement: %w", err)
	}
	sum := sha256.Sum256(body)
	return body, `W/"` + hex.EncodeToString(sum[:8]) + `"`, nil
}

// everywhere are the parameters of all types that are no keys of their resources.
func everywhere() []searchParam {
	return []searchParam{{"_filter", "http://hl7.org/fhir/SearchParameter/filter", "special"}, {Name: "_list", Type: "special"}}
}

// pointers lists, for every type, the parameters that can point to it.
func (c Capability) pointers() map[string][]string {
	out := map[string][]string{}
	for _, typ := range c.Types {
		for _, p := range c.Index.Params(typ) {
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

func (c Capability) resource(typ string) resource {
	r := resource{Type: typ, Versioning: "versioned", ReadHistory: slices.Contains(c.Interactions, "vread"), UpdateCreate: c.UpdateCreate,
		ConditionalCreate: slices.Contains(c.Interactions, "create"), ConditionalRead: "full-support",
		ConditionalUpdate: slices.Contains(c.Interactions, "update"), ConditionalDelete: c.ConditionalDelete, SearchRevInclude: c.pointing[typ]}
	for _, code := range c.Interactions {
		r.Interaction = append(r.Interaction, interaction{code})
	}
	for _, p := range c.Index.Params(typ) {
		r.SearchParam = append(r.SearchParam, searchParam{p.Code, p.URL, string(p.Kind)})
		if p.Kind == index.Reference {
			r.SearchInclude = append(r.SearchInclude, typ+":"+p.Code)
		}
	}
	for _, op := range c.Operations {
		of := "Resource"
		if op.Types != nil {
			of = typ
		}
		told := operation{op.Name, "http://hl7.org/fhir/OperationDefinition/" + of + "-" + op.Name}
		if (op.Types == nil || slices.Contains(op.Types, typ)) && !slices.Contains(r.Operation, told) {
			r.Operation = append(r.Operation, told)
		}
	}
	return r
}
