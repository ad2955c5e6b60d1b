package index

import (
	"net/url"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/path"
	"carerecord/fhir/r4"
)

// bundleEntries maps the addresses of the entries of a Bundle to their types. enclosing is that
// of the Bundle around it.
type bundleEntries struct {
	types     map[string]string
	enclosing *bundleEntries
}

func (s *bundleEntries) typeOf(address string) (string, bool) {
	for ; s != nil; s = s.enclosing {
		if typ, ok := s.types[address]; ok {
			return typ, true
		}
	}
	return "", false
}

// refContext is the context in which the references of a resource are resolved.
type refContext struct {
	entries   *bundleEntries
	base      string            // base of relative references; empty for this server
	contained map[string]string // the types of the contained resources, by id
}

// containedTypes returns the types of the contained resources, by id.
func containedTypes(v path.Value) map[string]string {
	var types map[string]string
	for e := range v.Embedded() {
		if e.Name != "contained" {
			continue
		}
		if types == nil {
			types = map[string]string{}
		}
		types[e.GetText("id")] = e.Type
	}
	return types
}

// entriesOf reads the addresses of the entries of a Bundle: fullUrl, and the url of a PUT
// request.
func entriesOf(bundle path.Value, outer *bundleEntries) *bundleEntries {
	s := &bundleEntries{types: map[string]string{}, enclosing: outer}
	for e := range bundle.Embedded() {
		if full := e.Holder.GetText("fullUrl"); full != "" && e.Name == "resource" {
			s.types[unversioned(full)] = e.Type
		}
		if request, ok := e.Holder.Member("request"); ok && e.Name == "resource" {
			if ref, ok := fhir.ParseRef("", request.GetText("url")); ok && ref.Type == e.Type && e.Type != "Patient" {
				s.types[ref.Type+"/"+ref.ID] = e.Type
			}
		}
	}
	return s
}

func unversioned(address string) string {
	address, _, _ = strings.Cut(address, "/_history/")
	return address
}

// baseOf returns the base of a RESTful fullUrl. It is empty for a urn and any other address.
func baseOf(full string) string {
	parts := strings.Split(unversioned(full), "/")
	if n := len(parts); n > 2 && strings.HasPrefix(full, "http") && r4.IsResource(parts[n-2]) {
		return strings.Join(parts[:n-2], "/")
	}
	return ""
}

// target is the resource to which a literal reference resolves: one embedded in the same body,
// one of this server, or neither. typ is empty if the reference does not contain it.
type target struct {
	typ, id         string
	embedded, local bool
}

// resolve finds the target of a literal reference.
func (p *ownerCollector) resolve(literal string, at refContext) target {
	if id, ok := strings.CutPrefix(literal, "#"); ok {
		typ, ok := at.contained[id]
		return target{typ: typ, embedded: ok}
	}
	if typ, ok := at.entries.typeOf(unversioned(literal)); ok {
		return target{typ: typ, embedded: true}
	}
	if ref, ok := fhir.ParseRef("", literal); ok { // relative
		if at.base == "" || at.base == p.x.base {
			if typ, ok := at.entries.typeOf(p.x.base + "/" + ref.Type + "/" + ref.ID); ok {
				return target{typ: typ, embedded: true}
			}
			return target{typ: ref.Type, id: ref.ID, local: true}
		}
		if typ, ok := at.entries.typeOf(at.base + "/" + ref.Type + "/" + ref.ID); ok {
			return target{typ: typ, embedded: true}
		}
		return target{typ: ref.Type}
	}
	if ref, ok := fhir.ParseRef(p.x.base, literal); ok {
		if typ, ok := at.entries.typeOf(ref.Type + "/" + ref.ID); ok {
			return target{typ: typ, embedded: true}
		}
		return target{typ: ref.Type, id: ref.ID, local: true}
	}
	if head, query, ok := strings.Cut(literal, "?"); ok {
		return p.search(head[strings.LastIndexByte(head, '/')+1:], query)
	}
	parts := strings.Split(unversioned(literal), "/")
	if n := len(parts); n > 1 && r4.IsResource(parts[n-2]) {
		return target{typ: parts[n-2]}
	}
	return target{}
}

// search resolves a conditional reference. It adds the Patient of a search by NHS number.
func (p *ownerCollector) search(typ, query string) target {
	if !r4.IsResource(typ) {
		return target{}
	}
	to := target{typ: typ}
	values, err := url.ParseQuery(query)
	if err != nil || typ != "Patient" {
		return to
	}
	for _, value := range values["identifier"] {
		system, number, _ := strings.Cut(value, "|")
		to.embedded = p.addNumber(system, number) || to.embedded
	}
	return to
}
