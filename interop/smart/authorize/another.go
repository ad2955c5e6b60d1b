package authorize

import (
	"net/http"

	"carerecord/interop/pages"
)

// another shows that the app or the launch is not for the person who is signed in. The person signs in as somebody else, after which
// the transaction goes on, or goes back to the app with access_denied; prompt=none does so at once. The page does not say whom a launch
// expects (SMART-125).
func (e *Endpoint) another(q *request, p *progress, cause string) error {
	refusal := denied(cause)
	if has(p.t.Prompt, "none") {
		return refusal
	}
	for _, step := range []string{stepAnother, stepLeave} {
		if q.answers(step) {
			p.form = step
			return nil
		}
	}
	if err := e.tell(q, p, refusal, cause); err != nil {
		return err
	}
	page := pages.OtherPerson{Action: Continue(q.id) + "/" + stepAnother, Leave: Continue(q.id) + "/" + stepLeave, App: p.client.Name, Person: p.person.User, Launch: p.t.Launch != nil}
	return e.show(q, p, http.StatusForbidden, page)
}

// postAnother notes that the transaction does not go on with the session of now, so a sign-in follows.
func (e *Endpoint) postAnother(q *request, p *progress) error {
	p.t.NotSession, p.t.Told = p.session.ID, ""
	return e.continueWith(q, p)
}
