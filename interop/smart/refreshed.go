package smart

import (
	"context"
	"errors"

	"carerecord/consent/policy"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/record"
	"carerecord/interop/smart/resource"
)

// refreshed is called for grants that are allowed. It drops what is not the user any more, and names the Patient in context as it is now
// (SMART-148): the lead Patient of a patient; for staff the same one while it is a visible one of its person, else the lead. Without any
// the grant gives no more tokens.
func (s *Server) refreshed(ctx context.Context, g *grants.Grant, request, address string) error {
	person, err := resource.PersonOf(s.cfg.Policy, g)
	if err != nil || g.Patient == "" && g.FHIRUser == "" {
		return err
	}
	client, err := s.Clients.Serving(ctx, g.Client)
	if err != nil {
		return err
	}
	u := record.User{Person: person, Client: client, Purpose: g.Purpose}
	if err := s.dropUser(ctx, g, u, request, address); err != nil || g.Patient == "" {
		return err
	}
	now := ""
	if person.Kind == policy.KindPatient {
		in, err := s.cfg.Guard.SignIn(ctx, person.Patient, person.BirthDate)
		if err != nil {
			return err
		}
		now = in.Patient
	} else if now, err = s.users.authorize.Record.PatientOf(ctx, u, g.Patient, g.Person); err != nil {
		return err
	}
	switch now {
	case "":
		return grants.ErrInactive
	case g.Patient:
		return nil
	}
	g.Patient = now
	return s.Grants.SetPatient(ctx, g, request, address)
}

// dropUser drops from a grant the resource that is not the user any more, with the name, and the role that is not the role of the user any
// more (SMART-383). The grant never names another one instead: that needs a new authorization. The refresh stores what was dropped.
func (s *Server) dropUser(ctx context.Context, g *grants.Grant, u record.User, request, address string) (err error) {
	if g.FHIRUser == "" {
		return nil
	}
	reader := s.users.authorize.Record
	is, err := reader.Is(ctx, u, g.FHIRUser)
	if err = s.noteSeveral(ctx, g, err, request, address); err != nil {
		return err
	}
	role := ""
	if is && g.PractitionerRole != "" {
		role, err = reader.Role(ctx, u, record.Self{Ref: g.FHIRUser})
		if err = s.noteSeveral(ctx, g, err, request, address); err != nil {
			return err
		}
	}
	if !is {
		g.FHIRUser, g.Name = "", ""
	}
	if role != g.PractitionerRole {
		g.FHIR, err = launch.WithoutReference(g.FHIR, g.PractitionerRole)
		g.PractitionerRole = ""
	}
	return err
}

// noteSeveral records record.ErrSeveral, which is an alert, and returns nil: none of them is picked (SMART-443). Other errors it returns.
func (s *Server) noteSeveral(ctx context.Context, g *grants.Grant, err error, request, address string) error {
	if !errors.Is(err, record.ErrSeveral) {
		return err
	}
	event := g.Event("identity-conflict", request, address)
	event.Refused, event.Detail = "SEVERAL_RESOURCES", err.Error()
	return s.Grants.Ledger.Note(ctx, event)
}
