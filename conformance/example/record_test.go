package example

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }

const (
	site = "http://record.test"
	ods  = "XGP01" // the practice whose feed writes

	patientBody = `{"resourceType":"Patient","id":"xgp01.p1","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000009"}],"name":[{"family":"Example"}]}`

	observationBody = `{"resourceType":"Observation","id":"xgp01.o1",` +
		`"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},` +
		`"status":"final",` +
		`"code":{"coding":[{"system":"http://loinc.org","code":"29463-7","display":"Body weight"}],"text":"Weight"},` +
		`"subject":{"reference":"Patient/xgp01.p1","identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000009"}},` +
		`"effectiveDateTime":"2026-03-04T09:30:00Z",` +
		`"performer":[{"reference":"Practitioner/xgp01.d1"}],` +
		`"valueQuantity":{"value":70.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}`
)

var (
	patient     = store.Ref{Type: "Patient", ID: "xgp01.p1"}
	observation = store.Ref{Type: "Observation", ID: "xgp01.o1"}
)

// write sends one resource through a guard, as the source system of the practice.
func write(t *testing.T, db store.Engine, ref store.Ref, body string) {
	t.Helper()
	at := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	x, err := index.New(index.Config{Base: site + "/fhir"})
	if err != nil {
		t.Fatal(err)
	}
	g, err := consent.Open(t.Context(), consent.Config{Store: db, State: db, Index: x, PublicURL: site, Clock: func() time.Time { return at },
		Policy: &policy.Folder{Agreement: policy.Agreement{Organisations: []string{ods}, Relationship: policy.RelationshipAssumed}, Identity: policy.DefaultIdentity(ods)}})
	if err != nil {
		t.Fatal(err)
	}
	scopes, err := consent.ParseScopes("system/*.cruds", func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	feed := consent.Principal{Kind: consent.SourceSystem, Subject: "feed", Organisation: ods, Purpose: "TREAT", ClientPurposes: []string{"TREAT"},
		Flow: consent.FlowIngest, IDPrefix: "xgp01.", Scopes: scopes}
	err = g.Read(t.Context(), feed, consent.Request{Interaction: consent.Update, Type: ref.Type, Permission: consent.PermitUpdate, Write: true}, func(v *consent.View) error {
		_, err := v.Commit(t.Context(), []consent.Change{{Kind: consent.ChangeUpdate, Ref: ref, Body: []byte(body)}}, nil)
		return err
	})
	if err != nil {
		t.Fatalf("write %s: %v", ref, err)
	}
}

// newest reads a document back.
func newest(t *testing.T, db store.Store, ref store.Ref) (d store.Doc) {
	t.Helper()
	err := db.Read(t.Context(), func(snap store.Snapshot) (err error) {
		d, err = snap.Get(t.Context(), ref)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// inPebble writes the example into the embedded engine and returns the Observation, and
// the rows that its commit added or changed.
func inPebble(t *testing.T) (store.Doc, []pebble.StoredRow) {
	db, err := pebble.Open(pebble.Config{Dir: "example", FS: vfs.NewMem(), Cache: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write(t, db, patient, patientBody)
	before := map[string]string{}
	for row, err := range db.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		before[string(row.RawKey)] = string(row.RawValue)
	}
	write(t, db, observation, observationBody)
	var rows []pebble.StoredRow
	for row, err := range db.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if value, stood := before[string(row.RawKey)]; !stood || value != string(row.RawValue) {
			rows = append(rows, row)
		}
	}
	return newest(t, db, observation), rows
}

// inMongo writes the example into MongoDB and returns the Observation, and its document
// as the driver reads it.
func inMongo(t *testing.T) (store.Doc, bson.Raw) {
	server := mongotest.Start(t)
	uri, name := server.Database(t)
	db, err := mongo.Open(t.Context(), mongo.Config{URI: uri, Database: name, NoHints: !server.Real()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write(t, db, patient, patientBody)
	write(t, db, observation, observationBody)
	client, err := driver.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.WithoutCancel(t.Context()))
	raw, err := client.Database(name).Collection("res").FindOne(t.Context(), bson.D{{Key: "_id", Value: observation.String()}}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	return newest(t, db, observation), raw
}
