package smart

import (
	"context"
	"errors"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/store"
)

// personKey returns the person key of a Patient that the user of a grant may see; "" for none.
func (s *Server) personKey(ctx context.Context, g grants.Grant, client *clients.Client, patient string) (key string, err error) {
	if !fhir.ValidID(patient) {
		return "", nil
	}
	g.Scopes = "user/Patient.rs"
	p, err := s.Resource.Principal(ctx, &grants.Active{Grant: g, Client: client}, "")
	if err != nil {
		return "", err
	}
	ref := store.Ref{Type: "Patient", ID: patient}
	req := consent.Request{Interaction: consent.Read, Type: ref.Type, ID: ref.ID, Permission: consent.PermitRead, Named: consent.NamedPatient{ID: patient}}
	err = s.cfg.Guard.Read(ctx, p, req, func(v *consent.View) error {
		d, err := v.Get(ctx, ref)
		if err == nil {
			key = v.PersonKeyOf(d)
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return key, err
}
