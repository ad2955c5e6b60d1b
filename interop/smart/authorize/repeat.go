package authorize

import (
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/scopes"
	"carerecord/interop/smart/screen"
)

// earlier returns the grant of an earlier decision that covers the request, and what it grants again without a page (SMART-210,
// 222): of the same client, user, role and patient, in force, with the texts of today and all the scopes. It returns nil where
// a person has to decide. A grant that was itself made without a page does not count, so nobody goes on with a decision that has
// ended.
func (e *Endpoint) earlier(q *request, p *progress) (*grants.Grant, scopes.Set, error) {
	_, _, set := screen.Offer(p.set, e.Pages.Catalogue())
	if has(p.t.Prompt, "consent") || !set.Useful() || !p.client.Reached(p.t.Redirect) {
		return nil, set, nil
	}
	list, err := p.granted(e)(q.r.Context())
	if err != nil {
		return nil, set, err
	}
	var best *grants.Grant
	for _, one := range list {
		g := &one.Grant
		if g.Client != p.client.ID || g.SessionUser != p.session.User || g.Decision != "" || g.Printed || g.Texts != e.Pages.Catalogue().Version() || g.Purpose != p.purpose() ||
			g.Role != p.person.Role || g.Organisation != p.person.Organisation || g.Person != p.personInContext(set) {
			continue
		}
		granted, err := scopes.Stored(g.Scopes)
		if err != nil {
			return nil, set, err
		}
		if granted.Covers(set) && (best == nil || best.Ends.Before(g.Ends)) {
			best = g
		}
	}
	return best, set, nil
}
