package staff

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/interop/smart/record"
	"carerecord/store"
)

// writer is the client of the server's own writes for staff.
const writer = "sign-in"

// batch is one commit for a person: resources, a Provenance of them, and the value in State that names them.
type batch struct {
	directory *Directory
	in        SignIn
	acting    policy.Person // whose organisation is the source
	changes   []consent.Change
	targets   []map[string]any
	renames   bool // it changes the name of a Practitioner, and makes nothing
	again     bool // an earlier one had a conflict
	err       error
}

// own returns the predicate of the resources of the organisation with an identifier, and that of the identifier alone.
func (b *batch) own(typ, system, value string) (own, where store.Pred, err error) {
	where, err = b.directory.Guard.Index().Predicate(index.Query{Type: typ, Name: "identifier", Values: []string{system + "|" + index.Escape(value)}})
	if err != nil {
		return nil, nil, fmt.Errorf("find a %s: %w", typ, err)
	}
	return store.And{where, store.Eq{Key: index.SourceKey(b.acting.Organisation)}}, where, nil
}

// there returns the id of a resource of the organisation with an identifier; "" for none. It is asked if the person has not exactly one, and
// looks only after a conflict: the condition of add counts what the person does not see, so no batch can be stored while there is one.
func (b *batch) there(ctx context.Context, typ, system, value string) (id string, err error) {
	if !b.again {
		return "", nil
	}
	own, _, err := b.own(typ, system, value)
	if err != nil {
		return "", err
	}
	p, err := b.principal()
	if err != nil {
		return "", err
	}
	err = b.directory.Guard.Read(ctx, p, consent.Request{Interaction: consent.Search, Type: typ, Permission: consent.PermitSearch}, func(v *consent.View) error {
		id = ""
		for found, err := range v.Scan(ctx, store.Query{Type: typ, Where: own}) {
			if err != nil {
				return err
			}
			id = found.Ref.ID
			break
		}
		return nil
	})
	return id, err
}

// add creates a resource with an identifier that nothing of the organisation may have yet, and returns its id.
func (b *batch) add(typ, system, value string, body map[string]any) string {
	ch := b.create(typ, body)
	own, where, err := b.own(typ, system, value)
	if err != nil {
		b.err = cmp.Or(b.err, err)
		return ""
	}
	ch.Absent = own
	eq, ok := where.(store.Eq)
	if !ok || !eq.Key.Driving() { // without a claim two sign-ins at once would make two
		b.err = cmp.Or(b.err, fmt.Errorf("a %s is not found by its identifier", typ))
		return ""
	}
	ch.Claims = []store.Key{eq.Key}
	b.changes = append(b.changes, ch)
	b.targets = append(b.targets, map[string]any{"reference": ch.Ref.String()})
	return ch.Ref.ID
}

func (b *batch) create(typ string, body map[string]any) consent.Change {
	body["resourceType"] = typ
	text, err := json.Marshal(body)
	if err == nil {
		var parsed fhir.Resource
		if parsed, err = fhir.Parse(text); err == nil {
			text = parsed.Body
		}
	}
	if err != nil {
		b.err = fmt.Errorf("make a %s: %w", typ, err)
	}
	return consent.Change{Kind: consent.ChangeCreate, Ref: store.Ref{Type: typ, ID: consent.NewID()}, Body: text}
}

// errChanged: the Practitioner is not as it was made here.
var errChanged = errors.New("the Practitioner was changed by its source")

// rename changes the name of a Practitioner, if it still has the SDS user id of the person, and the name that was written here.
func (b *batch) rename(id, before string) {
	ref := store.Ref{Type: "Practitioner", ID: id}
	b.renames = true
	b.changes = append(b.changes, consent.Change{Kind: consent.ChangePatch, Ref: ref, Edit: func(body []byte) ([]byte, error) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			return nil, fmt.Errorf("read a Practitioner: %w", err)
		}
		own := fmt.Sprintf(`#(system==%q)#.value`, record.SDSUserID)
		if ids := gjson.GetBytes(body, "identifier."+own).Array(); len(ids) != 1 || ids[0].Str != b.in.Person.Subject || gjson.GetBytes(body, "name.#").Int() > 1 || gjson.GetBytes(body, "name.0.text").Str != before || gjson.GetBytes(body, "name.0.family").Exists() {
			return nil, errChanged
		}
		name, err := json.Marshal(nameOf(b.in.Name))
		if err != nil {
			return nil, fmt.Errorf("write the name of a Practitioner: %w", err)
		}
		members["name"] = name
		return json.Marshal(members)
	}})
	b.targets = append(b.targets, map[string]any{"reference": ref.String()})
}

// commit stores the batch with its audit record, or nothing. It does nothing for an empty batch. store.ErrConflict: another commit was
// faster.
func (b *batch) commit(ctx context.Context, state func() (store.StateWrite, error)) error {
	if b.err != nil || len(b.changes) == 0 {
		return b.err
	}
	d := b.directory
	b.changes = append(b.changes, b.create("Provenance", map[string]any{
		"target": b.targets, "recorded": d.Clock().UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		"agent":  []any{map[string]any{"who": map[string]any{"identifier": uri(d.Base), "display": "The sign-in of this record"}}},
		"entity": []any{map[string]any{"role": "source", "what": map[string]any{"identifier": uri(b.in.User.Issuer), "display": "The identity provider"}}},
	}))
	mark, err := state()
	if err != nil || b.err != nil {
		return fmt.Errorf("prepare the resources of a member of staff: %w", cmp.Or(err, b.err))
	}
	p, err := b.principal()
	if err != nil {
		return err
	}
	return d.Guard.Read(ctx, p, consent.Request{Interaction: consent.Transaction, Write: true}, func(v *consent.View) error {
		_, err := v.Commit(ctx, b.changes, func(results []consent.Result) ([][]byte, error) {
			r := audit.Record{Recorded: p.At, Request: b.in.Request, Interaction: "staff-register", Type: b.changes[0].Ref.Type, Status: 201, Decision: audit.Decision{Outcome: "permit"}, Disclosed: []audit.Item{}}
			if b.renames {
				r.Interaction, r.Status = "staff-rename", 200
			}
			r.Agent, r.Client = audit.AgentOf(p)
			for _, result := range results {
				if result.Written {
					r.Written = append(r.Written, audit.ItemOf(result.Doc, false, false))
				}
			}
			payload, err := d.Audit.Encode(r)
			return [][]byte{payload}, err
		}, mark)
		return err
	})
}

// principal is the writer: a source system of the organisation that writes the directory of staff and nothing else. It may search what it
// creates: a conditional create (Change.Absent) compares with nothing else.
func (b *batch) principal() (consent.Principal, error) {
	scopes, err := consent.ParseScopes("system/Practitioner.crus system/PractitionerRole.cs system/Provenance.c", r4.IsResource)
	return consent.Principal{Kind: consent.SourceSystem, Subject: writer, Client: writer, ClientClass: "backend", Organisation: b.acting.Organisation, Purpose: policy.PurposeTreatment,
		ClientPurposes: []string{policy.PurposeTreatment}, Scopes: scopes, Flow: consent.FlowIngest, Address: b.in.Address, At: b.directory.Clock().UTC()}, err
}

// practitioner is the Practitioner of somebody who has signed in.
func practitioner(in SignIn) (typ, system, value string, body map[string]any) {
	body = map[string]any{"meta": map[string]any{"source": in.User.Issuer}, "identifier": identifier(record.SDSUserID, in.Person.Subject), "active": true}
	if in.Name != "" {
		body["name"] = nameOf(in.Name)
	}
	return "Practitioner", record.SDSUserID, in.Person.Subject, body
}

// role is the PractitionerRole of a person in one role, by the policy.
func (d *Directory) role(acting policy.Person, practitioner, organisation string) (typ, system, value string, body map[string]any) {
	role, _ := d.Policy.Role(acting.Role)
	o, _ := d.Policy.Organisation(acting.Organisation)
	at := map[string]any{"identifier": map[string]any{"system": record.ODSCode, "value": acting.Organisation}}
	if organisation != "" {
		at["reference"] = organisation
	}
	coding := map[string]any{"system": record.SDSJobRole, "code": acting.Role}
	if role.Name != "" {
		coding["display"] = role.Name
	}
	if o.Name != "" {
		at["display"] = o.Name
	}
	return "PractitionerRole", record.SDSRoleProfileID, acting.RoleProfile(), map[string]any{"meta": map[string]any{"source": d.Base}, "identifier": identifier(record.SDSRoleProfileID, acting.RoleProfile()), "active": true,
		"practitioner": map[string]any{"reference": practitioner}, "organization": at, "code": []any{map[string]any{"coding": []any{coding}}}}
}

func identifier(system, value string) []any {
	return []any{map[string]any{"system": system, "value": value}}
}

func nameOf(text string) []any { return []any{map[string]any{"text": text}} }

// uri is the Identifier of something that an address names.
func uri(address string) map[string]any {
	return map[string]any{"system": "urn:ietf:rfc:3986", "value": address}
}
