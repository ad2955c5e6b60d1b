package audit

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// UnidentifiedLimiter limits what requests without a valid token cost the trail (AUD-101). Of each
// network address it lets one a second have a record of its own and counts the others; the
// count goes into the next record of the address, or into one that Flush makes. It keeps a
// bounded number of addresses: those beyond count as one. The zero value is ready to use. It
// is safe for concurrent use.
type UnidentifiedLimiter struct {
	mu        sync.Mutex
	addresses map[string]*seen
}

// seen is what came from an address.
type seen struct {
	second   time.Time // the second of the last request
	inSecond int       // requests in it
	more     int       // requests that no record speaks of yet
}

const (
	// maxAddresses is how many addresses are told apart.
	maxAddresses = 1000
	// otherAddresses is the address of those beyond.
	otherAddresses = "others"
)

// source is the part of an address that one sender holds: of IPv6 its network of 64 bits.
func source(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return network.String()
}

// Admit notes a request without a valid token and returns how many its address has sent in
// this second, this one included. The caller records the first of a second, with Append, and
// no other.
func (u *UnidentifiedLimiter) Admit(address string, at time.Time) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	one := u.of(source(address), at)
	if second := at.UTC().Truncate(time.Second); !second.Equal(one.second) {
		one.second, one.inSecond = second, 0
	}
	if one.inSecond++; one.inSecond > 1 {
		one.more++
	}
	return one.inSecond
}

// of returns what is known of an address.
func (u *UnidentifiedLimiter) of(address string, at time.Time) *seen {
	if one := u.addresses[address]; one != nil {
		return one
	}
	if len(u.addresses) >= maxAddresses {
		u.forget(at)
	}
	if len(u.addresses) >= maxAddresses {
		address = otherAddresses
	}
	if u.addresses == nil {
		u.addresses = map[string]*seen{}
	}
	if u.addresses[address] == nil {
		u.addresses[address] = &seen{}
	}
	return u.addresses[address]
}

// forget drops the addresses of earlier seconds of which the records tell everything.
func (u *UnidentifiedLimiter) forget(at time.Time) {
	for address, one := range u.addresses {
		if one.more == 0 && one.second.Before(at.UTC().Truncate(time.Second)) {
			delete(u.addresses, address)
		}
	}
}

// take returns the count of an address, which the caller records.
func (u *UnidentifiedLimiter) take(address string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	one := u.addresses[address]
	if one == nil {
		one = u.addresses[otherAddresses]
	}
	if one == nil {
		return 0
	}
	more := one.more
	one.more = 0
	return more
}

// give puts a count back that could not be recorded.
func (u *UnidentifiedLimiter) give(address string, at time.Time, more int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.of(address, at).more += more
}

// Append records a request without a valid token, the first of its address in a second,
// with the count of those before.
func (u *UnidentifiedLimiter) Append(ctx context.Context, t *Writer, r Record) error {
	address := source(r.Client.Address)
	r.More = u.take(address)
	if err := t.Append(ctx, r); err != nil {
		u.give(address, r.Recorded, r.More)
		return err
	}
	return nil
}

// Flush records what was counted and stands in no record yet, one record an address.
func (u *UnidentifiedLimiter) Flush(ctx context.Context, t *Writer, at time.Time) error {
	var records []Record
	u.mu.Lock()
	for address, one := range u.addresses {
		if one.more > 0 {
			records = append(records, Record{Recorded: at.UTC(), Interaction: "unidentified", Agent: Agent{Kind: "nobody"},
				Client: Client{Address: address}, Decision: Decision{Outcome: "refuse", Step: 1, Reason: "UNAUTHENTICATED"}, More: one.more})
			one.more = 0
		}
	}
	u.mu.Unlock()
	if len(records) == 0 {
		return nil
	}
	slices.SortFunc(records, func(a, b Record) int { return strings.Compare(a.Client.Address, b.Client.Address) })
	if err := t.Append(ctx, records...); err != nil {
		for _, r := range records {
			u.give(r.Client.Address, at, r.More)
		}
		return fmt.Errorf("record how many requests had no valid token: %w", err)
	}
	return nil
}
