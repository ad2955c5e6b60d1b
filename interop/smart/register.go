package smart

import (
	"context"
	"net/http"
	"time"

	"carerecord/consent/policy"
	"carerecord/interop/smart/signin"
	"carerecord/interop/smart/staff"
)

// registering is how long the resources of a member of staff may take at a sign-in.
const registering = 2 * time.Second

// register makes the Practitioner of somebody who has signed in (SMART-442). Without it the person has no fhirUser, and nothing else is
// missing (SMART-384): a failure is logged, and does not end the sign-in.
func (s *Server) register(u *users, r *http.Request, person policy.Person, id signin.Identity) {
	ctx, cancel := context.WithTimeout(r.Context(), registering)
	defer cancel()
	request := r.Header.Get(referenceHeader)
	if err := u.directory.SignedIn(ctx, staff.SignIn{Person: person, User: id.User, Name: id.Claims[signin.ClaimName], Request: request, Address: address(r)}); err != nil {
		s.cfg.Log.Warn("the resources of a member of staff could not be made: there may be no fhirUser", "request", request, "err", err)
	}
}
