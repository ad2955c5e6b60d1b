package index

import (
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/path"
	"carerecord/fhir/payload"
)

// addRelated adds the owners of embedded resources to a row, and reads its mentions, its
// numbers and its attached Binaries. docs are the payloads of the body.
func (x *Indexer) addRelated(w *scratch, r *ownerRule, row *Entry, docs []*path.Doc, readable bool) {
	if r.byMention || len(docs) > 0 || !readable {
		added := x.embeddedOwners(w.doc.Root(), r, docs, readable)
		if r.self { // a Patient stays about itself
			row.Mentions = added.Patients
			for _, id := range added.Identifiers {
				row.Numbers = append(row.Numbers, id.Value)
			}
			added = Ownership{Unsettled: added.Unsettled || len(added.InheritFrom) > 0}
		}
		row.Owners.merge(added)
	}
	all := append([]*path.Doc{&w.doc}, docs...)
	if !r.byMention { // those are about everybody whom they mention
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

// mentions finds the local Patients of all references of a body.
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

// attached finds the local Binaries that a body names by a url.
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

// mentionedNumbers finds the NHS numbers of all identifiers of a body, its own list left
// out.
func mentionedNumbers(doc *path.Doc) []string {
	var list []string
	for _, value := range doc.Systems(fhir.LooksLikeNHSNumberSystem) {
		if value = cleanNumber(value); value != "" {
			list = append(list, value)
		}
	}
	return list
}

// cleanNumber is an NHS number without blanks and hyphens; text that is none stays.
func cleanNumber(value string) string {
	if digits, ok := fhir.CleanNHSNumber(value); ok {
		return digits
	}
	return strings.TrimSpace(value)
}

// payloads reads the resources of all base64 payloads of a body, and of the payloads in
// these. It is false where one is unreadable.
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
