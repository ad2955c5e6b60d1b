package grants

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"carerecord/consent/audit"
	"carerecord/interop/smart/ledger"
)

// Cutoffs end grants by kind (SMART-402): a grant that was made until then is not in force any more.
type Cutoffs struct {
	Everybody     time.Time            `json:"everybody,omitzero"`
	Organisations map[string]time.Time `json:"organisations,omitempty"`
	Users         map[string]time.Time `json:"users,omitempty"`
}

// CutoffsKey is the State key of the Cutoffs. It begins a new epoch of the ledger whenever it is written (ledger.Epoch).
const CutoffsKey = "smart/cutoffs"

// ends reports whether a cutoff ends a grant.
func (c Cutoffs) ends(g *Grant) bool {
	for _, at := range []time.Time{c.Everybody, c.Organisations[g.Organisation], c.Users[g.User]} {
		if !at.IsZero() && !g.Made.After(at) {
			return true
		}
	}
	return false
}

// Cutoffs returns those that are in force.
func (s *Store) Cutoffs(ctx context.Context) (Cutoffs, error) {
	v, err := ledger.Read[Cutoffs](ctx, s.Ledger.State, CutoffsKey)
	if ledger.Missing(err) {
		return Cutoffs{}, nil
	}
	return v.Content, err
}

// Of names the grants that EndAll ends: those of an organisation or of a user, or those of everybody where both are empty.
type Of struct{ Organisation, User string }

// EndOne ends one grant and those that repeat its decision (SMART-222), with all their tokens, at once. The decision comes first, so
// that no new grant repeats it. The error is ErrInactive if there is none of this id, or all of them have ended.
func (s *Store) EndOne(ctx context.Context, who, id string) error {
	g, err := read[Grant](ctx, s, grantPrefix+id)
	if err != nil {
		return err
	}
	e := ledger.Event{Name: "grants-end", Of: "grant/" + id, Agent: audit.Agent{Kind: "operator", Subject: who}}
	const why = "ended by an administrator"
	live := g.Content.Ended.IsZero() && s.Ledger.Now().Before(g.Content.Ends)
	if err := s.End(ctx, id, e, why); err != nil {
		return err
	}
	var list []Listed
	if g.Content.User != "" {
		if list, err = s.OfUser(ctx, g.Content.User); err != nil {
			return err
		}
	}
	for _, other := range list {
		if !other.Repeats(id) {
			continue
		}
		e.Of, live = "grant/"+other.ID, true
		if err := s.End(ctx, other.ID, e, why); err != nil {
			return err
		}
	}
	if !live {
		return ErrInactive
	}
	return nil
}

// EndAll ends all grants of an organisation, of a user, or of everybody, with all their tokens, at once.
func (s *Store) EndAll(ctx context.Context, who string, of Of) error {
	for {
		v, err := ledger.Read[Cutoffs](ctx, s.Ledger.State, CutoffsKey)
		missing := ledger.Missing(err)
		if err != nil && !missing {
			return err
		}
		now, c := s.Ledger.Now(), v.Content
		was := c.Everybody
		if of.Organisation != "" {
			was = c.Organisations[of.Organisation]
		} else if of.User != "" {
			was = c.Users[of.User]
		}
		c.Organisations, c.Users = maps.Clone(c.Organisations), maps.Clone(c.Users)
		switch {
		case of.Organisation != "":
			c.Organisations = with(c.Organisations, of.Organisation, now)
		case of.User != "":
			c.Users = with(c.Users, of.User, now)
		default:
			c.Everybody = now
		}
		w, err := ledger.New(CutoffsKey, c, time.Time{})
		if !missing {
			v.Content = c
			w, err = v.Change(time.Time{})
		}
		if err != nil {
			return err
		}
		event := ledger.Event{Name: "grants-end", Of: "organisation/" + of.Organisation, Agent: audit.Agent{Kind: "operator", Subject: who}}
		if of.Organisation == "" {
			event.Of = "user/" + of.User
		}
		if event.Changed, err = endsBefore(was, now); err != nil {
			return err
		}
		if err := s.Ledger.Write(ctx, event, w); !ledger.Changed(err) {
			return err
		}
	}
}

// endsBefore describes the change of a cutoff for the audit trail.
func endsBefore(was, now time.Time) ([]audit.Change, error) {
	change := audit.Change{Field: "grants made until then have ended"}
	var err error
	if change.New, err = json.Marshal(now); err == nil && !was.IsZero() {
		change.Old, err = json.Marshal(was)
	}
	return []audit.Change{change}, err
}

func with(m map[string]time.Time, key string, at time.Time) map[string]time.Time {
	if m == nil {
		m = map[string]time.Time{}
	}
	m[key] = at
	return m
}
