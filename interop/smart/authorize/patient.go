package authorize

import (
	"net/http"

	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/scopes"
)

// usesPatient reports whether a patient in context is needed.
func (p *progress) usesPatient() bool {
	return p.set.Level("patient") || p.set.Has(scopes.LaunchPatient) || p.choosesEncounter()
}

// choosesEncounter reports whether a person chooses the encounter in context: in a standalone launch (SMART-149).
func (p *progress) choosesEncounter() bool {
	return p.t.Launch == nil && p.set.Has(scopes.LaunchEncounter)
}

// patient decides the patient in context (SMART-140 to 145): the own record of a patient, that of the launch, or the one that staff
// chose. It is read again each time.
func (e *Endpoint) patient(q *request, p *progress) error {
	ctx := q.r.Context()
	var err error
	switch {
	case p.person.Kind == policy.KindPatient:
		if p.own, err = e.Record.Own(ctx, p.user()); err != nil {
			return err
		}
		if p.own.ID == "" {
			return e.stop(q, p, pages.NoRecord)
		}
		p.patient = p.own
		return nil
	case p.t.Launch != nil && p.t.Launch.Patient != "":
		p.patient, err = e.Record.Visible(ctx, p.user(), p.t.Launch.Patient)
	case p.usesPatient() && p.t.Patient != "" && p.t.User == p.person.User:
		p.patient, err = e.Record.Visible(ctx, p.user(), p.t.Patient)
	default:
		return nil
	}
	if err == nil && p.patient.ID == "" {
		return oauth.Refuse(oauth.AccessDenied, "The patient is not available.")
	}
	return err
}

// needsPatient reports whether staff still have to choose a patient.
func (p *progress) needsPatient() bool {
	return p.patient.ID == "" && p.person.Kind != policy.KindPatient && p.usesPatient()
}

// noEncounter is the choice of none.
const noEncounter = "none"

// encounter reads the chosen encounter again, and takes away the scope where there is none (SMART-149).
func (e *Endpoint) encounter(q *request, p *progress) error {
	if !p.choosesEncounter() || p.needsPatient() {
		return nil
	}
	ctx := q.r.Context()
	if p.t.Encounter == "" || p.t.EncounterOf != p.patient.ID {
		list, err := e.Record.Encounters(ctx, p.user(), p.patient.ID, maxEncounters)
		if err != nil {
			return err
		}
		if p.encounters = list; len(list) == 0 {
			p.set = p.set.Without(scopes.LaunchEncounter)
		}
		return nil
	}
	if p.t.Encounter == noEncounter {
		p.set = p.set.Without(scopes.LaunchEncounter)
		return nil
	}
	is, err := e.Record.EncounterOf(ctx, p.user(), p.t.Encounter, p.patient.Key)
	if err == nil && !is {
		return oauth.Refuse(oauth.AccessDenied, "The encounter is not available.")
	}
	return err
}

// maxEncounters is how many encounters a person may choose from, the newest ones.
const maxEncounters = 20

// encounterPage is the page on which a person chooses an encounter.
func encounterPage(q *request, p *progress) pages.EncounterChoice {
	page := pages.EncounterChoice{Action: Continue(q.id) + "/" + stepEncounter, App: p.client.Name}
	for _, one := range p.encounters {
		page.List = append(page.List, pages.Encounter{Value: one.ID, Start: one.Start, Name: one.Name, State: one.Status})
	}
	return page
}

// postEncounter notes the choice of an encounter, which must be one that the page offers.
func (e *Endpoint) postEncounter(q *request, p *progress) error {
	chosen := q.r.PostForm.Get("encounter")
	if chosen == "" {
		page := encounterPage(q, p)
		page.Unanswered = true
		return e.show(q, p, http.StatusBadRequest, page)
	}
	offered := chosen == noEncounter
	for _, one := range p.encounters {
		offered = offered || one.ID == chosen
	}
	if !offered {
		return denied("the encounter was not offered")
	}
	p.t.Encounter, p.t.EncounterOf = chosen, p.patient.ID
	return e.continueWith(q, p)
}
