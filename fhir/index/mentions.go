package index

import (
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/path"
	"carerecord/fhir/payload"
)

// addRelated adds the owners of embedded resources to an Entry, and its mentions, numbers and
// attached Binaries. docs are the payloads of the body.
func (x *Indexer) addRelated(w *scratch, r *ownerRule, row *Entry, docs []*path.Doc, readable bool) {
	if r.byMention || len(docs) > 0 || !readable {
		added := x.embeddedOwners(w.doc.Root(), r, docs, readable)
		if r.self { // a Patient has no other owner than itself
			row.Mentions = added.Patients
			for _, id := range added.Identifiers {
				row.Numbers = append(row.Numbers, id.Value)
			}
			added = Ownership{Unsettled: added.Unsettled || len(added.InheritFrom) > 0}
		}
		row.Owners.merge(added)
	}
	all := append([]*path.Doc{&w.doc}, docs...)
	if !r.byMention { // every mention is an owner of these
		row.Mentions = append(row.Mentions, x.mentions(&w.doc)...)
	}
	for _, doc := range all {
		row.Numbers = append(row.Numbers, mentionedNumbers(doc)...)
		row.Attachments = append(row.Attachments, x.attached(doc)...)
	}
	row.Mentions = slices.DeleteFunc(row.Mentions, func(id string) bool {
		_, owns := slices.BinarySearch(row.Owners.Patients, id)
		return owns
	})
	if len(row.Numbers) > 0 {
		owners := map[string]bool{}
		for _, i := range row.Owners.Identifiers {
			owners[cleanNumber(i.Value)] = true
		}
		row.Numbers = slices.DeleteFunc(row.Numbers, func(number string) bool { return owners[number] })
	}
	for _, list := range []*[]string{&row.Mentions, &row.Numbers, &row.Attachments} {
		*list = distinct(*list, strings.Compare)
	}
}

// mentions returns the local Patients of all references of a body.
func (x *Indexer) mentions(doc *path.Doc) []string {
	var ids []string
	for reference := range doc.Strings("reference") {
		if !mayBeOfType(reference, "Patient") {
			continue
		}
		if ref, ok := fhir.ParseRef(x.base, reference); ok && ref.Type == "Patient" {
			ids = append(ids, ref.ID)
		}
	}
	return ids
}

// mayBeOfType reports whether an address may be that of a resource of a type, in any spelling
// (fhir.ParseRef).
func mayBeOfType(address, typ string) bool {
	for i := range address {
		if address[i] == '%' || len(address)-i >= len(typ) && strings.EqualFold(address[i:i+len(typ)], typ) {
			return true
		}
	}
	return false
}

// attached returns the local Binaries to which a url of a body refers.
func (x *Indexer) attached(doc *path.Doc) []string {
	var ids []string
	for url := range doc.Strings("url") {
		if !mayBeOfType(url, "Binary") {
			continue
		}
		if ref, ok := fhir.ParseRef(x.base, url); ok && ref.Type == "Binary" {
			ids = append(ids, ref.ID)
		}
	}
	return ids
}

// mentionedNumbers returns the NHS numbers of all identifiers of a body, except those in its own
// identifier element.
func mentionedNumbers(doc *path.Doc) []string {
	var list []string
	for _, value := range doc.Systems(fhir.LooksLikeNHSNumberSystem) {
		if value = cleanNumber(value); value != "" {
			list = append(list, value)
		}
	}
	return list
}

// cleanNumber returns the digits of an NHS number, or other text trimmed.
func cleanNumber(value string) string {
	if digits, ok := fhir.CleanNHSNumber(value); ok {
		return digits
	}
	return strings.TrimSpace(value)
}

// payloads reads the resources of all base64 payloads of a body, and of the payloads in these. It
// returns false if one is unreadable.
func payloads(doc *path.Doc, depth int) (docs []*path.Doc, readable bool) {
	readable = true
	read := func(contentType, data string) {
		bodies, ok := payload.Read(contentType, data)
		readable = readable && ok
		if len(bodies) > 0 && depth == payload.MaxDepth {
			readable = false
			return
		}
		for _, body := range bodies {
			inner, err := path.Parse(body)
			if err != nil {
				readable = false
				continue
			}
			more, ok := payloads(inner, depth+1)
			docs, readable = append(append(docs, inner), more...), readable && ok
		}
	}
	for p := range doc.Payloads(payload.Property) {
		read(p.ContentType, p.Data)
	}
	for url := range doc.Strings("url") {
		if contentType, data, ok := payload.DataURL(url); ok {
			read(contentType, data)
		}
	}
	return docs, readable
}
