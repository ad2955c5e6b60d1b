package fhir

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"
)

// MaxDepth is the deepest nesting of JSON that Parse accepts (LIM-001).
const MaxDepth = 100

// Resource is a checked resource as the client sent it, without insignificant white space.
type Resource struct {
	Type string
	ID   string // empty if the body has none
	Body []byte
}

// Get reads a field by gjson path. It returns the zero result if there is none.
func (r Resource) Get(path string) gjson.Result { return gjson.GetBytes(r.Body, path) }

// Parse reads one resource: strict JSON (REST-080, 081, 083, 093) that is an object with a
// resourceType. The Error has every fault up to MaxIssues, with its path. A syntax error ends
// the reading. The result does not share memory with body.
func Parse(body []byte) (Resource, error) {
	if plain, ok := compact(body); ok {
		return Part(plain)
	}
	p := parser{dec: jsontext.NewDecoder(bytes.NewBuffer(body)), src: body}
	p.run()
	if len(p.issues) > 0 {
		return Resource{}, &Error{Status: 400, Issues: p.issues}
	}
	return Resource{Type: p.resourceType, ID: p.id, Body: p.kept}, nil
}

// parser reads the tokens of one body once.
type parser struct {
	dec          *jsontext.Decoder
	src          []byte
	kept         jsontext.Value // src without insignificant white space
	issues       []Issue
	resourceType string
	id           string
}

func (p *parser) run() {
	if p.dec.PeekKind() != '{' {
		if _, err := p.dec.ReadToken(); err != nil {
			p.syntax(err)
			return
		}
		p.fault("structure", "", "The body is not a JSON object.")
		return
	}
	if !p.value("", false) {
		return
	}
	if _, err := p.dec.ReadToken(); err == nil {
		p.fault("structure", "", "The body continues after the end of the resource.")
	} else if k := p.dec.PeekKind(); k != 0 || !isEOF(err) {
		p.syntax(err)
		return
	}
	p.kept = bytes.Clone(p.src)
	if err := p.kept.Compact(); err != nil {
		p.fault("structure", "", "The body is not valid JSON.")
		return
	}
	p.root(p.kept)
}

// root checks resourceType, id and meta of a compact body.
func (p *parser) root(body []byte) {
	var typ, id, meta gjson.Result
	members(body, func(quoted, value []byte) bool {
		switch string(named(quoted)) {
		case "resourceType":
			typ = gjson.ParseBytes(value)
		case "id":
			id = gjson.ParseBytes(value)
		case "meta":
			meta = gjson.Result{Type: gjson.JSON, Raw: string(value[:1])} // its first byte is enough to recognise an object
		}
		return true
	})
	switch {
	case !typ.Exists():
		p.fault("structure", "resourceType", "The resource has no resourceType.")
	case typ.Type != gjson.String || !typeName(typ.Str):
		p.fault("structure", "resourceType", "resourceType is not the name of a resource type.")
	default:
		p.resourceType = typ.Str
	}
	switch {
	case !id.Exists():
	case id.Type != gjson.String:
		p.fault("structure", p.resourceType+".id", "id is not a string.")
	case !ValidID(id.Str):
		p.fault("value", p.resourceType+".id", "id must be 1 to 64 letters, digits, hyphens and dots.")
	default:
		p.id = id.Str
	}
	if meta.Exists() && !meta.IsObject() {
		p.fault("structure", p.resourceType+".meta", "meta is not an object.")
	}
}

// value reads one value. It returns false if reading has to end.
func (p *parser) value(name string, inArray bool) bool {
	tok, err := p.dec.ReadToken()
	if err != nil {
		p.syntax(err)
		return false
	}
	switch tok.Kind() {
	case '{':
		return p.object()
	case '[':
		return p.array(name)
	case 'n':
		if !inArray {
			p.fault("structure", p.path(), "FHIR allows no null here: leave the element out.")
		}
	case '"':
		p.text(tok.String())
	case '0':
		if f := tok.String(); len(f) > 300 {
			p.fault("value", p.path(), "The number has more than 300 characters.")
		}
	default: // true and false
	}
	return len(p.issues) < MaxIssues
}

func (p *parser) object() bool {
	if p.dec.StackDepth() > MaxDepth {
		p.fault("structure", p.path(), "The resource is nested deeper than %d levels.", MaxDepth)
		return false
	}
	members := 0
	for p.dec.PeekKind() != '}' {
		tok, err := p.dec.ReadToken()
		if err != nil {
			p.syntax(err)
			return false
		}
		name := tok.String()
		if name == "" {
			p.fault("structure", p.path(), "A property has an empty name.")
		}
		members++
		if !p.value(name, false) {
			return false
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		p.syntax(err)
		return false
	}
	if members == 0 {
		p.fault("structure", p.path(), "The object is empty: leave the element out.")
	}
	return len(p.issues) < MaxIssues
}

func (p *parser) array(name string) bool {
	if p.dec.StackDepth() > MaxDepth {
		p.fault("structure", p.path(), "The resource is nested deeper than %d levels.", MaxDepth)
		return false
	}
	members := 0
	for p.dec.PeekKind() != ']' {
		if p.dec.PeekKind() == '[' {
			path := p.path() // of the item before, if there is one
			if members > 0 {
				path = path[:strings.LastIndexByte(path, '[')]
			}
			p.fault("structure", path, "FHIR has no arrays within arrays.")
			return false
		}
		members++
		if !p.value(name, true) {
			return false
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		p.syntax(err)
		return false
	}
	if members == 0 {
		p.fault("structure", p.path(), "The array is empty: leave the element out.")
	}
	return len(p.issues) < MaxIssues
}

func (p *parser) text(s string) {
	switch {
	case s == "":
		p.fault("structure", p.path(), "The string is empty: leave the element out.")
	case strings.IndexByte(s, 0) >= 0:
		p.fault("value", p.path(), "The string contains the character U+0000.")
	}
}

func (p *parser) fault(code, path, format string, args ...any) {
	if len(p.issues) < MaxIssues {
		p.issues = append(p.issues, Issue{Code: code, Text: fmt.Sprintf(format, args...), Expression: path})
	}
}

// syntax reports a syntax error, after which reading ends.
func (p *parser) syntax(err error) {
	code, text := "structure", "The body is not valid JSON."
	offset := p.dec.InputOffset()
	var se *jsontext.SyntacticError
	if errors.As(err, &se) {
		offset = se.ByteOffset
		switch {
		case errors.Is(se.Err, jsontext.ErrDuplicateName):
			text = "A property is repeated in one object."
		case strings.Contains(se.Err.Error(), "UTF-8"):
			text = "The body is not valid UTF-8."
		case strings.Contains(se.Err.Error(), "surrogate"), strings.Contains(se.Err.Error(), "escape"):
			code, text = "value", "A string contains an escape that is not a character."
		}
	}
	if !utf8.Valid(p.src) {
		text, code = "The body is not valid UTF-8.", "structure"
	}
	path := p.path()
	p.fault(code, path, "%s (near byte %d)", text, offset)
}

func isEOF(err error) bool { return err.Error() == "EOF" }

// path returns the decoder's position as a simple FHIRPath.
func (p *parser) path() string {
	return pathOf(gjson.GetBytes(p.src, "resourceType").Str, string(p.dec.StackPointer()))
}

func pathOf(root, pointer string) string {
	if !typeName(root) {
		root = "Resource"
	}
	path := []byte(root)
	for _, part := range strings.Split(pointer, "/")[min(1, strings.Count(pointer, "/")):] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		if part == "" {
			continue
		}
		if _, err := strconv.Atoi(part); err == nil {
			path = append(path, "["+part+"]"...)
			continue
		}
		path = AppendElement(path, part)
	}
	return string(path)
}

// Part reads a resource that is part of a body that Parse accepted. It does not copy.
func Part(raw []byte) (Resource, error) {
	p := parser{src: raw}
	if len(raw) == 0 || raw[0] != '{' {
		return Resource{}, Fault(400, "structure", "The resource is not a JSON object.")
	}
	p.root(raw)
	if len(p.issues) > 0 {
		return Resource{}, &Error{Status: 400, Issues: p.issues}
	}
	return Resource{Type: p.resourceType, ID: p.id, Body: raw}, nil
}
