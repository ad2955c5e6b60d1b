// Package reminder remembers when a person was last told which apps can use the record while the person is away (SMART-224). A person is
// told by a page of the reminder and by the page of the apps with access; the first year begins with the first of these apps, which a
// consent page or the organisation allowed. A year later a reminder is due.
package reminder

import (
	"context"
	"slices"
	"time"

	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/secret"
	"carerecord/store"
)

// Every is the time between two reminders of a person.
const Every = 365 * 24 * time.Hour

// StatePrefix begins the State keys of what people were told.
const StatePrefix = "smart/reminded/"

// lately is for how long one note is enough, so that a page that is loaded often writes once.
const lately = 24 * time.Hour

// told is when a person was last told. It is removed when the next reminder is due.
type told struct {
	At time.Time `json:"at"`
}

// Book keeps when people were told. It keeps nothing in the process and is safe for concurrent use.
type Book struct {
	Ledger  *ledger.Ledger
	Secrets secret.Digester
}

func (b *Book) key(user string) string { return StatePrefix + b.Secrets.Of(user) }

// last returns when a user was told; the zero time if a year has passed since, or nobody ever did.
func (b *Book) last(ctx context.Context, user string) (time.Time, error) {
	v, err := ledger.Read[told](ctx, b.Ledger.State, b.key(user))
	if ledger.Missing(err) || err == nil && !b.Ledger.Now().Before(v.Content.At.Add(Every)) {
		return time.Time{}, nil
	}
	return v.Content.At, err
}

// Due returns the grants with offline access of a user who is to be reminded of them now; none if no reminder is due. list returns the
// grants of the user.
func (b *Book) Due(ctx context.Context, user string, list func(context.Context) ([]grants.Listed, error)) ([]grants.Listed, error) {
	last, err := b.last(ctx, user)
	if err != nil || !last.IsZero() {
		return nil, err
	}
	all, err := list(ctx)
	return slices.DeleteFunc(slices.Clone(all), func(g grants.Listed) bool { return !g.Offline }), err
}

// Told notes that a user was told now, with the record of an event.
func (b *Book) Told(ctx context.Context, e ledger.Event, user string) error {
	last, err := b.last(ctx, user)
	if err != nil || b.Ledger.Now().Before(last.Add(lately)) {
		return err
	}
	w, err := b.now(user)
	if err != nil {
		return err
	}
	return b.Ledger.Write(ctx, e, w)
}

// First returns the write that begins the first year of a user with the first app that gets offline access; none if it has begun, or if a
// reminder is due. all are the grants of the user so far. It belongs into the commit of the grant.
func (b *Book) First(ctx context.Context, user string, all []grants.Listed) ([]store.StateWrite, error) {
	last, err := b.last(ctx, user)
	if err != nil || !last.IsZero() || slices.ContainsFunc(all, func(g grants.Listed) bool { return g.Offline }) {
		return nil, err
	}
	w, err := b.now(user)
	return []store.StateWrite{w}, err
}

func (b *Book) now(user string) (store.StateWrite, error) {
	at := b.Ledger.Now()
	return ledger.Put(b.key(user), told{At: at}, at.Add(Every))
}
