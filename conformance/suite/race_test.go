package suite

import (
	"sync"
	"testing"
)

// TestThousandConditionalCreates: of a thousand identical conditional creates, a hundred of them at a time, only
// one creates (REST-126).
func TestThousandConditionalCreates(t *testing.T) {
	const all, atOnce = 1000, 100
	engines(t, func(t *testing.T, s *server) {
		s.start("--demo", "--limit", "search-deadline="+patience.String()) // a busy machine may answer late
		s.token(trustClient)
		var mu sync.Mutex
		statuses, ids, other := map[int]int{}, map[string]int{}, ""
		var group sync.WaitGroup
		places := make(chan struct{}, atOnce)
		for range all {
			places <- struct{}{}
			group.Go(func() {
				defer func() { <-places }()
				r := s.do(trustClient, "POST", "Organization", `{"resourceType":"Organization","name":"R","identifier":[{"system":"s","value":"thousand"}]}`,
					"If-None-Exist: identifier=s|thousand")
				mu.Lock()
				defer mu.Unlock()
				if statuses[r.status]++; r.status != 200 && r.status != 201 {
					other = r.body
				}
				ids[r.id()]++
			})
		}
		group.Wait()
		if statuses[201] != 1 || statuses[200] != all-1 {
			t.Errorf("REST-126: got statuses %v, want one 201 and %d times 200: %s", statuses, all-1, other)
		}
		if len(ids) != 1 || ids[""] > 0 {
			t.Errorf("REST-126: the answers have the resources %v, want one", ids)
		}
		r := s.get(trustClient, "Organization?identifier=s|thousand")
		if r.get("total").Int() != 1 || ids[r.get("entry.0.resource.id").Str] != all {
			t.Errorf("REST-126: got %s, want one resource", r.body)
		}
	})
}
