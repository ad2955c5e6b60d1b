package authorize

import (
	"net/http"
	"slices"

	"carerecord/interop/pages"
	"carerecord/interop/smart/record"
	"carerecord/interop/smart/screen"
	"carerecord/interop/smart/session"
)

// post reads the form of a page. It comes from a page that was shown in this browser for this transaction, else it changes
// nothing (SMART-163).
func (e *Endpoint) post(q *request) error {
	p, err := e.progress(q)
	if err != nil {
		return e.finish(q, p, err)
	}
	if err := e.Pages.Check(q.r, p.binding(), q.id); err != nil {
		return err
	}
	switch {
	case p.form == stepKind:
		err = e.postKind(q, p)
	case p.form == stepRole:
		err = e.postRole(q, p)
	case p.form == stepAnother:
		err = e.postAnother(q, p)
	case p.form == stepLeave:
		err = denied("the person went back to the app")
	case q.step == StepReminder:
		err = e.postReminder(q, p)
	case q.step == stepSearch && p.needsPatient():
		err = e.postSearch(q, p)
	case q.step == stepPatient && p.needsPatient():
		err = e.postPatient(q, p)
	case q.step == stepEncounter && len(p.encounters) > 0:
		err = e.postEncounter(q, p)
	case q.step == stepDecision && !p.needsPatient() && len(p.encounters) == 0:
		err = e.postDecision(q, p)
	case isStep(q.step):
		see(q.w, Continue(q.id)) // a page that was left behind
		return nil
	default:
		return pages.Fail(pages.NotFound, nil)
	}
	return e.finish(q, p, err)
}

// postKind notes which kind of people signs in.
func (e *Endpoint) postKind(q *request, p *progress) error {
	kind := session.Kind(q.r.PostForm.Get("kind"))
	if !kind.Known() {
		page := kindPage(q, p)
		page.Unanswered = true
		return e.show(q, p, http.StatusBadRequest, page)
	}
	p.t.Kind = kind
	return e.continueWith(q, p)
}

// continueWith stores the transaction and sends the browser on.
func (e *Endpoint) continueWith(q *request, p *progress) error {
	if err := e.change(q.r.Context(), p.stored, p.t); err != nil {
		return err
	}
	see(q.w, Continue(q.id))
	return errAnswered
}

// postSearch searches for a patient (SMART-144). What it offers is noted, so that nobody else can be chosen (SMART-145).
func (e *Endpoint) postSearch(q *request, p *progress) error {
	page := e.searchPage(q, p)
	criteria := readSearch(q.r.PostForm, &page)
	if page.Problem != "" {
		return e.show(q, p, http.StatusBadRequest, page)
	}
	if !e.Searches.Count(p.person.User) {
		return e.tooMany(q.r, nil)
	}
	found, many, err := e.Record.Search(q.r.Context(), p.user(), criteria, pages.MaxCandidates)
	if err != nil {
		return err
	}
	event := e.event(q, p, "patient-search")
	if err := e.Grants.Ledger.Note(q.r.Context(), event); err != nil {
		return err
	}
	switch {
	case many:
		page.Problem = pages.SearchMany
	case len(found) == 0:
		page.Problem = pages.SearchNone
	}
	if page.Problem != "" {
		return e.show(q, p, http.StatusOK, page)
	}
	p.t.Offered, p.t.User = nil, p.person.User
	for _, patient := range found {
		p.t.Offered = append(p.t.Offered, patient.ID)
	}
	if err := e.change(q.r.Context(), p.stored, p.t); err != nil {
		return err
	}
	return e.show(q, p, http.StatusOK, e.choicePage(q, found))
}

func (e *Endpoint) choicePage(q *request, found []record.Patient) pages.PatientChoice {
	page := pages.PatientChoice{Action: Continue(q.id) + "/" + stepPatient, SearchAgain: Continue(q.id)}
	for _, patient := range found {
		page.People = append(page.People, pages.Candidate{Value: patient.ID, Name: patient.Name, BirthDate: patient.BirthDate, NHSNumber: patient.Number})
	}
	return page
}

// postPatient notes the choice of a patient, who must have been offered to this user (SMART-145).
func (e *Endpoint) postPatient(q *request, p *progress) error {
	chosen := q.r.PostForm.Get("patient")
	if chosen == "" {
		return e.chooseAgain(q, p)
	}
	event := e.event(q, p, "patient-choice")
	if !slices.Contains(p.t.Offered, chosen) || p.t.User != p.person.User {
		event.Refused, event.Status = "NOT_OFFERED", http.StatusForbidden
		if err := e.Grants.Ledger.Note(q.r.Context(), event); err != nil {
			return err
		}
		return denied("the patient was not offered")
	}
	patient, err := e.Record.Visible(q.r.Context(), p.user(), chosen)
	if err != nil {
		return err
	}
	if patient.ID == "" {
		return denied("the patient is not visible any more")
	}
	event.Named = patient.ID
	if err := e.Grants.Ledger.Note(q.r.Context(), event); err != nil {
		return err
	}
	p.t.Patient, p.t.Person, p.t.Offered = patient.ID, patient.Key, nil
	return e.continueWith(q, p)
}

// chooseAgain shows the patients that were offered to this user once more, as far as they are visible still, for a form without a choice.
func (e *Endpoint) chooseAgain(q *request, p *progress) error {
	var offered []record.Patient
	if p.t.User == p.person.User {
		for _, id := range p.t.Offered {
			patient, err := e.Record.Visible(q.r.Context(), p.user(), id)
			if err != nil {
				return err
			}
			if patient.ID != "" {
				offered = append(offered, patient)
			}
		}
	}
	if len(offered) == 0 {
		see(q.w, Continue(q.id))
		return errAnswered
	}
	page := e.choicePage(q, offered)
	page.Unanswered = true
	return e.show(q, p, http.StatusBadRequest, page)
}

// postDecision reads the consent of a person (SMART-212 to 216).
func (e *Endpoint) postDecision(q *request, p *progress) error {
	page, shown := e.consentPage(q, p)
	choice := page.Answer(q.r.PostForm)
	if !choice.Allow {
		return denied("the person refused")
	}
	if choice.Empty() && len(page.Groups)+len(page.Writes) > 0 {
		page.Chosen = &choice
		return e.show(q, p, http.StatusBadRequest, page)
	}
	return e.grant(q, p, screen.Granted(shown, page.Groups, choice), decision{})
}
