package portal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/facts"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Choices reads and writes the choices of patients. It is safe for concurrent use.
type Choices struct {
	Guard  *consent.Guard
	Audit  *audit.Writer
	Policy *policy.Folder
}

// Reader is a patient who has signed in.
type Reader struct {
	Principal consent.Principal // of kind Patient
	Request   string            // request id
}

// Sharing is the choice of a person about sharing the record for care.
type Sharing struct {
	// Refused: the regional opt-out or another directive keeps the record from everybody but those who wrote it (CON-501, CON-641).
	Refused bool
	// Statements are the statements of the person and of others for the person, the newest first, with those that have ended.
	Statements []Statement
}

// Statement is one Consent that says something about sharing.
type Statement struct {
	ID           string
	Active       bool
	Since        time.Time // when it was recorded
	Ended        time.Time // when it became inactive; zero for an active one
	Organisation string    // name of the organisation that recorded it; empty for the person
	Own          bool      // the person recorded it
	Ends         bool      // the person can end it: somebody recorded it in person (CON-502)
}

// Read returns the choice of a patient, with an audit record. A refusal of the guard is consent.Refusal.
func (c *Choices) Read(ctx context.Context, r Reader) (out Sharing, err error) {
	err = c.Guard.Read(ctx, r.Principal, consent.Request{Interaction: consent.Search, Type: "Consent", Permission: consent.PermitSearch}, func(v *consent.View) error {
		read, items, err := c.read(ctx, v)
		if err != nil {
			return err
		}
		out = read
		record := c.record(r, "choices-read")
		record.Disclosed = items
		return c.Audit.Append(ctx, record)
	})
	return out, err
}

// Set records the choice of a patient, with an audit record in the same commit: a refusal is a statement of the patient, unless there is one
// in force already; to share again ends all that were recorded in person. What came as a code of a feed is ended by its source alone. The
// choice is in force when Set returns (CON-1401). store.ErrConflict: another choice was faster.
func (c *Choices) Set(ctx context.Context, r Reader, refuse bool) error {
	request := consent.Request{Interaction: consent.Patch, Type: "Consent", Write: true}
	if refuse {
		request.Interaction = consent.Create
	}
	return c.Guard.Read(ctx, r.Principal, request, func(v *consent.View) error {
		now, _, err := c.read(ctx, v.WithPermission(string(rune(consent.PermitSearch))))
		if err != nil {
			return err
		}
		changes, err := c.changes(r.Principal, now, refuse)
		if err != nil || len(changes) == 0 {
			return err
		}
		_, err = v.Commit(ctx, changes, func(results []consent.Result) ([][]byte, error) {
			record := c.record(r, map[bool]string{true: "sharing-refused", false: "sharing-allowed"}[refuse])
			for _, result := range results {
				if result.Written {
					record.Written = append(record.Written, audit.ItemOf(result.Doc, false, false))
				}
			}
			payload, err := c.Audit.Encode(record)
			return [][]byte{payload}, err
		})
		return err
	})
}

func (c *Choices) record(r Reader, interaction string) audit.Record {
	out := audit.Record{Recorded: r.Principal.At, Request: r.Request, Interaction: interaction, Type: "Consent", Status: 200, Named: r.Principal.Patient,
		Decision: audit.Decision{Outcome: "permit"}, Disclosed: []audit.Item{}}
	out.Agent, out.Client = audit.AgentOf(r.Principal)
	return out
}

// changes are the writes of a choice; none where it holds already.
func (c *Choices) changes(p consent.Principal, now Sharing, refuse bool) (out []consent.Change, err error) {
	if refuse {
		if slices.ContainsFunc(now.Statements, func(s Statement) bool { return s.Own && s.Active }) {
			return nil, nil
		}
		body, err := fhir.Parse(policy.NewOptOut(p.Patient, p.Number, p.At))
		if err != nil {
			return nil, fmt.Errorf("make a refusal: %w", err)
		}
		return []consent.Change{{Kind: consent.ChangeCreate, Ref: store.Ref{Type: "Consent", ID: consent.NewID()}, Body: body.Body}}, nil
	}
	for _, s := range now.Statements {
		if s.Active && s.Ends {
			out = append(out, consent.Change{Kind: consent.ChangePatch, Ref: store.Ref{Type: "Consent", ID: s.ID}, Edit: inactive})
		}
	}
	return out, nil
}

// inactive returns a Consent that is ended.
func inactive(body []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, fmt.Errorf("end a statement: %w", err)
	}
	members["status"] = json.RawMessage(`"inactive"`)
	return json.Marshal(members)
}

// read returns what a View shows of the choice, with the items of the audit record.
func (c *Choices) read(ctx context.Context, v *consent.View) (out Sharing, items []audit.Item, err error) {
	out.Refused, items = v.OwnRefused(), []audit.Item{}
	for d, err := range v.Scan(ctx, store.Query{Type: "Consent", Where: store.And{}}) {
		if err != nil {
			return Sharing{}, nil, fmt.Errorf("read the statements of a patient: %w", err)
		}
		if !policy.AboutSharing(d.Body) {
			continue
		}
		s, err := c.statement(ctx, v, d)
		if err != nil {
			return Sharing{}, nil, err
		}
		out.Statements, items = append(out.Statements, s), append(items, audit.ItemOf(d, false, false))
	}
	slices.SortStableFunc(out.Statements, func(a, b Statement) int { return b.Since.Compare(a.Since) })
	return out, items, nil
}

// statement describes a Consent by its versions.
func (c *Choices) statement(ctx context.Context, v *consent.View, d store.Doc) (Statement, error) {
	inPerson := facts.Has(d.Keys, index.FactInPerson)
	s := Statement{ID: d.Ref.ID, Active: policy.Read(d.Body, inPerson) != policy.NotADirective, Since: d.Updated, Own: inPerson && d.Source == "", Ends: inPerson}
	if !s.Active {
		s.Ended = d.Updated
	}
	if d.Source != "" {
		o, _ := c.Policy.Organisation(d.Source)
		if s.Organisation = o.Name; o.Name == "" {
			s.Organisation = d.Source
		}
	}
	active := s.Active
	for version, err := range v.History(ctx, store.HistoryQuery{Type: "Consent", ID: d.Ref.ID}) {
		if err != nil {
			return Statement{}, fmt.Errorf("read the history of a statement: %w", err)
		}
		if version.Deleted() {
			continue
		}
		if was := policy.Read(version.Body, inPerson) != policy.NotADirective; !was && !active { // ended at least since this version
			s.Ended = version.Updated
		} else {
			active = true
		}
		s.Since = version.Updated
	}
	return s, nil
}
