package example

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/pebble"
)

//go:embed storage-example.md.tmpl
var text string

const file = "../../docs/storage-example.md"

// page is the data of the template.
type page struct {
	ODS, Home, Ref, Body             string
	BodySize                         int
	Partition, Date, DateText, Hash  string
	Count                            int
	Facts, Cross, Driving, Verifying []key
	Lacks                            []index.NamedFact
	RowCount, KeyBytes, ValueBytes   int
	Rows                             []rows
	MongoSize                        int
	Fields                           []field
	MongoPostings                    []mongoPosting
}

// key is a decoded key. Value is a cell of a table, as are the texts of the types below.
type key struct{ Begin, Name, Class, Value, Meaning string }

// rows are the rows of one kind: one, or postings.
type rows struct {
	Kind, Meaning string
	Key, Value    []field
	Postings      []posting
}

type posting struct {
	key
	Type string
	Size int
}

type field struct{ Name, Meaning, Text string }

type mongoPosting struct{ Raw, Name string }

// TestStorageExample compares docs/storage-example.md with the stored data. UPDATE=1 writes it.
func TestStorageExample(t *testing.T) {
	doc, stored := inPebble(t)
	same, raw := inMongo(t)
	same.Seq = doc.Seq // numbers of commits are each engine's own
	if diff := cmp.Diff(doc, same); diff != "" {
		t.Errorf("the engines hold different documents (-Pebble +MongoDB):\n%s", diff)
	}
	p := page{ODS: ods, Home: "nhs:9000000009", Ref: doc.Ref.String()}
	p.resource(t, doc)
	p.keys(t, doc)
	p.pebble(t, doc, stored)
	p.mongo(t, doc, raw)
	var got bytes.Buffer
	if err := template.Must(template.New(file).Parse(text)).Execute(&got, p); err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s is out of date; UPDATE=1 writes it (-file +stored):\n%s", file, diff)
	}
}

// resource shows the body, and where the document is.
func (p *page) resource(t *testing.T, d store.Doc) {
	t.Helper()
	var body bytes.Buffer
	if err := json.Indent(&body, d.Body, "", "  "); err != nil {
		t.Fatal(err)
	}
	p.Body, p.BodySize = body.String(), len(d.Body)
	at, ok := index.DateOfSortKey(d.RowID.SortKey)
	if d.RowID.Partition != index.PartitionOf(p.Home) || !ok || at.Format(time.RFC3339) != "2026-03-04T09:30:00Z" {
		t.Errorf("the document is at %x, and its date is %v: the page says otherwise", d.RowID, at)
	}
	p.Partition, p.Date, p.Hash = fmt.Sprintf("%012x", uint64(d.RowID.Partition)), fmt.Sprintf("%x", d.RowID.SortKey[:5]), fmt.Sprintf("%x", d.RowID.SortKey[5:])
	p.DateText = at.Format(time.RFC3339)
}

// keys sorts the keys of a document into the tables.
func (p *page) keys(t *testing.T, d store.Doc) {
	t.Helper()
	p.Count = len(d.Keys)
	for _, k := range d.Keys {
		shown := decoded(t, k)
		switch {
		case k.CrossType():
			p.Cross = append(p.Cross, shown)
		case index.IsFact(k):
			p.Facts = append(p.Facts, shown)
		case k.Driving():
			p.Driving = append(p.Driving, shown)
		default:
			p.Verifying = append(p.Verifying, shown)
		}
	}
	for _, f := range index.NamedFacts() {
		if !slices.Contains(d.Keys, index.FactKey(f.Name)) {
			p.Lacks = append(p.Lacks, f)
		}
	}
}

// decoded is a key as a row of a table.
func decoded(t *testing.T, k store.Key) key {
	t.Helper()
	d, ok := index.Decode(k)
	if !ok {
		t.Errorf("the key %q is not decoded", string(k))
	}
	begin := 2
	if d.Class != "" || k.CrossType() {
		begin = 3
	}
	for _, f := range index.NamedFacts() {
		if k == index.FactKey(f.Name) {
			d.Meaning = "has this named fact: " + f.Meaning
		}
	}
	return key{fmt.Sprintf("% x", string(k[:begin])), d.Name, d.Class, cell(d.Value), strings.ReplaceAll(d.Meaning, "|", `\|`)}
}

// pebble shows rows.
func (p *page) pebble(t *testing.T, d store.Doc, stored []pebble.StoredRow) {
	t.Helper()
	p.RowCount = len(stored)
	rowID := fmt.Sprintf("%012x%x", uint64(d.RowID.Partition), d.RowID.SortKey)
	for _, row := range stored {
		p.KeyBytes, p.ValueBytes = p.KeyBytes+len(row.RawKey), p.ValueBytes+len(row.RawValue)
		kind := string(rune(row.Kind))
		switch row.Kind { // the second commit
		case 'm':
			if got, want := row.Value[0].Text, fmt.Sprint(d.Seq+1); string(row.RawKey) != "mseq" || got != want {
				t.Errorf("row %s: the last commit is %s, want %s", row.RawKey, got, want)
			}
		case 's':
			if !strings.HasPrefix(row.Key[0].Text, "index/backlog/labels:") || row.Value[0].Text != "1970-01-01T00:00:00Z" {
				t.Errorf("State has %v, want the work that a label makes, expired", row)
			}
		}
		if row.Kind != 'p' {
			p.Rows = append(p.Rows, rows{Kind: kind, Meaning: row.Meaning, Key: fields(row.Key), Value: fields(row.Value)})
			continue
		}
		if n := len(p.Rows); n == 0 || p.Rows[n-1].Kind != kind {
			p.Rows = append(p.Rows, rows{Kind: kind, Meaning: row.Meaning})
		}
		if len(row.RawValue) > 0 || !strings.HasSuffix(fmt.Sprintf("%x", row.RawKey), rowID) {
			t.Errorf("posting %x %x: the page says that it ends with the row ID %s and has no value", row.RawKey, row.RawValue, rowID)
		}
		last := &p.Rows[len(p.Rows)-1]
		last.Postings = append(last.Postings, posting{decoded(t, row.Key[1].Keys[0]), row.Key[0].Text, len(row.RawKey)})
	}
}

// fields are pieces of a row or a document as rows of a table.
func fields(of []store.Field) []field {
	var out []field
	for _, f := range of {
		shown := field{f.Name, f.Meaning, cell(f.Text)}
		if f.Keys != nil {
			shown.Text = fmt.Sprintf("%d keys", len(f.Keys))
		}
		out = append(out, shown)
	}
	return out
}

// mongo shows a document.
func (p *page) mongo(t *testing.T, d store.Doc, raw bson.Raw) {
	t.Helper()
	p.MongoSize = len(raw)
	stored, err := mongo.Inspect(raw)
	if err != nil {
		t.Fatal(err)
	}
	p.Fields = fields(stored)
	for i, f := range stored {
		switch f.Name {
		case "q": // a commit that is repeated takes another number
			p.Fields[i].Text = "a number"
		case "b":
			p.Fields[i].Text = "as above"
		case "f":
			if !slices.Equal(f.Keys, d.Keys) {
				t.Errorf("f holds %q, want the keys of the document %q", f.Keys, d.Keys)
			}
			p.Fields[i].Text += ", those above"
		case "k":
			p.Fields[i].Text = fmt.Sprintf("%d postings, see below", len(f.Keys))
			p.postings(t, raw, f.Keys)
		}
	}
}

// postings shows k, as it is stored and decoded.
func (p *page) postings(t *testing.T, raw bson.Raw, keys []store.Key) {
	t.Helper()
	values, err := raw.Lookup("k").Array().Values()
	if err != nil || len(values) != len(keys) {
		t.Fatalf("%d postings and %d keys: %v", len(values), len(keys), err)
	}
	for i, k := range keys {
		name := "none: the posting of the type"
		if k != "" {
			shown := decoded(t, k)
			name = strings.TrimSpace(shown.Name+" "+shown.Class) + " " + shown.Value
		}
		p.MongoPostings = append(p.MongoPostings, mongoPosting{cell(fmt.Sprintf("%q", values[i].StringValue())), name})
	}
}

// cell is a text as code in a table of Markdown.
func cell(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}
