package fhir

import (
	"slices"
	"strconv"
)

// Bundle writes a Bundle as bytes: the resources in it are the stored bodies.
type Bundle struct {
	out     []byte
	links   int
	entries int
}

// NewBundle begins a Bundle of a type.
func NewBundle(typ string) *Bundle {
	return &Bundle{out: append(append([]byte(`{"resourceType":"Bundle","type":"`), typ...), '"')}
}

// Total writes the total; nil for none. It must precede links and entries.
func (b *Bundle) Total(n *int) {
	if n != nil {
		b.out = strconv.AppendInt(append(b.out, `,"total":`...), int64(*n), 10)
	}
}

// Link adds a link. All links must precede all entries.
func (b *Bundle) Link(relation, url string) {
	b.out = append(b.out, map[bool]string{true: `,"link":[`, false: `,`}[b.links == 0]...)
	b.links++
	b.out = append(append(b.out, `{"relation":"`...), relation...)
	b.out = append(append(b.out, `","url":`...), Quoted(url)...)
	b.out = append(b.out, '}')
}

// Room reserves memory for about as many bytes as will follow, so that the Bundle is not copied
// while it grows.
func (b *Bundle) Room(bytes int) { b.out = slices.Grow(b.out, bytes) }

// next begins an entry.
func (b *Bundle) next() {
	switch {
	case b.entries > 0:
		b.out = append(b.out, `,{`...)
	case b.links > 0:
		b.out = append(b.out, `],"entry":[{`...)
	default:
		b.out = append(b.out, `,"entry":[{`...)
	}
	b.entries++
}

// Entry adds an entry from its encoded members.
func (b *Bundle) Entry(members ...string) {
	b.next()
	for i, m := range members {
		if i > 0 {
			b.out = append(b.out, ',')
		}
		b.out = append(b.out, m...)
	}
	b.out = append(b.out, '}')
}

// Resource adds a resource with its search mode. extension is a member of the entry, as SourceExtension returns
// it; empty for none.
func (b *Bundle) Resource(fullURL string, body []byte, mode, extension string) {
	b.next()
	if extension != "" {
		b.out = append(append(b.out, extension...), ',')
	}
	b.out = append(append(b.out, `"fullUrl":`...), Quoted(fullURL)...)
	b.out = append(append(b.out, `,"resource":`...), body...)
	b.out = append(append(b.out, `,"search":{"mode":"`...), mode...)
	b.out = append(b.out, `"}}`...)
}

// ODSCodeSystem is the system of Identifiers of organisations.
const ODSCodeSystem = "https://fhir.nhs.uk/Id/ods-organization-code"

// SourceExtension returns the member of an entry that names the organisation from which the resource came, by ODS
// code, for a server with a FHIR base (IDN-125). It is empty for no organisation.
func SourceExtension(base, ods string) string {
	if ods == "" {
		return ""
	}
	return `"extension":[{"url":` + Quoted(base+"/StructureDefinition/source-organisation") +
		`,"valueIdentifier":{"system":"` + ODSCodeSystem + `","value":` + Quoted(ods) + `}}]`
}

// Outcome adds an OperationOutcome entry, unless there are no issues.
func (b *Bundle) Outcome(issues []Issue) {
	if len(issues) > 0 {
		b.Entry(`"resource":`+string(Outcome(issues)), `"search":{"mode":"outcome"}`)
	}
}

// Bytes ends and returns the Bundle.
func (b *Bundle) Bytes() []byte {
	if b.links > 0 && b.entries == 0 || b.entries > 0 {
		b.out = append(b.out, ']')
	}
	return append(b.out, '}')
}
