package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// definitions are the parts of the package that the tables need.
type definitions struct {
	types        map[string]structureDefinition // by name
	params       []searchParameter
	compartments []compartmentDefinition
	valueSets    map[string]valueSet   // by canonical address
	expansions   map[string]valueSet   // by canonical address
	codeSystems  map[string]codeSystem // by canonical address
}

type structureDefinition struct {
	Name, Type, Kind, Derivation string
	Abstract                     bool
	Snapshot                     struct{ Element []element }
}

type element struct {
	Path             string
	Min              int
	Max              string
	Type             []elementType
	ContentReference string
	IsSummary        bool
	IsModifier       bool
	Binding          struct{ Strength, ValueSet string }
}

type elementType struct {
	Code          string
	TargetProfile []string
	Extension     []struct{ URL, ValueURL string }
}

type searchParameter struct {
	ID, URL, Code, Type, Expression string
	Base, Target                    []string
	Component                       []struct{ Definition, Expression string }
}

type compartmentDefinition struct {
	ID, Code string
	Resource []struct {
		Code  string
		Param []string
	}
}

type valueSet struct {
	URL, Version string
	Compose      struct {
		Include, Exclude []include
		Inactive         *bool
	}
	Expansion struct{ Contains []contains }
}

type include struct {
	System, Version string
	ValueSet        []string
	Concept         []struct{ Code string }
	Filter          []struct{ Property, Op, Value string }
}

type contains struct {
	System, Code string
	Abstract     bool
	Contains     []contains
}

type codeSystem struct {
	URL, Version, Content, HierarchyMeaning string
	Concept                                 []concept
}

type concept struct {
	Code     string
	Property []struct{ Code, ValueCode string }
	Concept  []concept
}

// read collects the definitions of a package.
func read(file string) (*definitions, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	d := &definitions{
		types: map[string]structureDefinition{}, valueSets: map[string]valueSet{},
		expansions: map[string]valueSet{}, codeSystems: map[string]codeSystem{},
	}
	for files := tar.NewReader(unzipped); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(files)
		if err != nil {
			return nil, err
		}
		if err := d.add(path.Base(h.Name), body); err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func (d *definitions) add(name string, body []byte) error {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	kind, _, _ := strings.Cut(name, "-")
	switch {
	case kind == "StructureDefinition":
		return d.addType(body)
	case kind == "SearchParameter" && !strings.HasPrefix(name, "SearchParameter-example"):
		var p searchParameter
		if err := json.Unmarshal(body, &p); err != nil {
			return err
		}
		d.params = append(d.params, p)
	case kind == "CompartmentDefinition" && name != "CompartmentDefinition-example.json":
		var c compartmentDefinition
		if err := json.Unmarshal(body, &c); err != nil {
			return err
		}
		d.compartments = append(d.compartments, c)
	case kind == "ValueSet":
		var v valueSet
		if err := json.Unmarshal(body, &v); err != nil {
			return err
		}
		d.valueSets[v.URL] = v
	case kind == "CodeSystem":
		var c codeSystem
		if err := json.Unmarshal(body, &c); err != nil {
			return err
		}
		d.codeSystems[c.URL] = c
	case name == "Bundle-valueset-expansions.json":
		return d.addExpansions(body)
	}
	return nil
}

func (d *definitions) addType(body []byte) error {
	var s structureDefinition
	if err := json.Unmarshal(body, &s); err != nil {
		return err
	}
	if s.Derivation != "constraint" && s.Kind != "logical" {
		d.types[s.Type] = s
	}
	return nil
}

func (d *definitions) addExpansions(body []byte) error {
	var b struct{ Entry []struct{ Resource valueSet } }
	if err := json.Unmarshal(body, &b); err != nil {
		return err
	}
	for _, e := range b.Entry {
		d.expansions[e.Resource.URL] = e.Resource
	}
	return nil
}
