package authorize

import (
	"net/http"

	"carerecord/consent/policy"
	"carerecord/interop/pages"
)

// remind shows once a year which apps can use the record while the person is away, before the transaction goes on (SMART-224).
func (e *Endpoint) remind(q *request, p *progress) error {
	list, err := e.Reminder(q.r, p.session, p.granted(e))
	if err != nil || len(list) == 0 {
		return err
	}
	return e.show(q, p, http.StatusOK, pages.Reminder{Action: Continue(q.id) + "/" + StepReminder, Staff: p.person.Kind == policy.KindStaff, List: list})
}

// postReminder takes the answer of a reminder, and goes on with the transaction.
func (e *Endpoint) postReminder(q *request, p *progress) error {
	if err := e.Reminded(q.r, p.session); err != nil {
		return err
	}
	p.listed = false // one may be stopped
	return e.continueWith(q, p)
}
