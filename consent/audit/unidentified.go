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

// UnidentifiedLimiter bounds the records for requests without a valid token (AUD-101). Each network address
// gets one record a second; its other requests are counted, and the count is part of the next record of the
// address, or of one that Flush makes. The number of addresses is bounded: the others share one. The zero
// value is ready to use. It is safe for concurrent use.
type UnidentifiedLimiter struct {
	mu      sync.Mutex
	senders map[string]*sender
}

// sender is the state of an address.
type sender struct {
	second     time.Time // of the last request
	inSecond   int       // requests in that second
	unrecorded int       // requests that no record counts yet
}

const (
	// maxAddresses is how many addresses are distinguished.
	maxAddresses = 1000
	// otherAddresses is the address of all others.
	otherAddresses = "others"
)

// senderAddress is the part of an address that one sender controls: of IPv6 the /64 network.
func senderAddress(address string) string {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"))
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return network.String()
}

// Admit notes a request without a valid token and returns how many its address has sent in this second,
// including this one. The caller records only the first of a second, with Append.
func (u *UnidentifiedLimiter) Admit(address string, at time.Time) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	one := u.sender(senderAddress(address), at)
	if second := at.UTC().Truncate(time.Second); !second.Equal(one.second) {
		one.second, one.inSecond = second, 0
	}
	if one.inSecond++; one.inSecond > 1 {
		one.unrecorded++
	}
	return one.inSecond
}

// Count notes a request that gets no record of its own.
func (u *UnidentifiedLimiter) Count(address string, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sender(senderAddress(address), at).unrecorded++
}

// sender returns the state of an address.
func (u *UnidentifiedLimiter) sender(address string, at time.Time) *sender {
	if one := u.senders[address]; one != nil {
		return one
	}
	if len(u.senders) >= maxAddresses {
		u.forget(at)
	}
	if len(u.senders) >= maxAddresses {
		address = otherAddresses
	}
	if u.senders == nil {
		u.senders = map[string]*sender{}
	}
	if u.senders[address] == nil {
		u.senders[address] = &sender{}
	}
	return u.senders[address]
}

// forget removes addresses of earlier seconds whose requests are all recorded.
func (u *UnidentifiedLimiter) forget(at time.Time) {
	for address, one := range u.senders {
		if one.unrecorded == 0 && one.second.Before(at.UTC().Truncate(time.Second)) {
			delete(u.senders, address)
		}
	}
}

// takeCount returns and resets the count of an address, which the caller records.
func (u *UnidentifiedLimiter) takeCount(address string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	one := u.senders[address]
	if one == nil {
		one = u.senders[otherAddresses]
	}
	if one == nil {
		return 0
	}
	more := one.unrecorded
	one.unrecorded = 0
	return more
}

// putBack restores a count that could not be recorded.
func (u *UnidentifiedLimiter) putBack(address string, at time.Time, more int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sender(address, at).unrecorded += more
}

// Append records a request without a valid token, the first of its address in a second, with the count of
// earlier ones.
func (u *UnidentifiedLimiter) Append(ctx context.Context, t *Writer, r Record) error {
	address := senderAddress(r.Client.Address)
	r.More = u.takeCount(address)
	if err := t.Append(ctx, r); err != nil {
		u.putBack(address, r.Recorded, r.More)
		return err
	}
	return nil
}

// Flush records all counts, one record an address.
func (u *UnidentifiedLimiter) Flush(ctx context.Context, t *Writer, at time.Time) error {
	var records []Record
	u.mu.Lock()
	for address, one := range u.senders {
		if one.unrecorded > 0 {
			records = append(records, Record{Recorded: at.UTC(), Interaction: "unidentified", Agent: Agent{Kind: "nobody"},
				Client: Client{Address: address}, Decision: Decision{Outcome: "refuse", Step: 1, Reason: "UNAUTHENTICATED"}, More: one.unrecorded})
			one.unrecorded = 0
		}
	}
	u.mu.Unlock()
	if len(records) == 0 {
		return nil
	}
	slices.SortFunc(records, func(a, b Record) int { return strings.Compare(a.Client.Address, b.Client.Address) })
	if err := t.Append(ctx, records...); err != nil {
		for _, r := range records {
			u.putBack(r.Client.Address, at, r.More)
		}
		return fmt.Errorf("record the count of requests without a valid token: %w", err)
	}
	return nil
}
