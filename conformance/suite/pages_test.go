package suite

import (
	"fmt"
	"strings"
	"testing"
)

// TestPagesOfLongQueries: the pages of a query of more than 2 KiB can be followed, by GET and by POST, also after
// a restart. Their links are as long as those of a short query. Altered links are refused, and expired ones are
// answered 410 (SRCH-204, 208).
func TestPagesOfLongQueries(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		s.start("--auth", "off")
		identifiers := make([]string, 0, 200)
		for i := range 200 {
			identifiers = append(identifiers, fmt.Sprintf("http://system.example/of/identifiers|%d", i))
			if i < 6 {
				s.do("", "PUT", fmt.Sprint("Patient/p", i), fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","identifier":[{"system":"http://system.example/of/identifiers","value":"%d"}]}`, i, i))
			}
		}
		next := func(r reply) string {
			t.Helper()
			_, path, _ := strings.Cut(r.get(`link.#(relation=="next").url`).Str, "/fhir/")
			return path
		}
		form := func(query string) reply {
			t.Helper()
			r := s.do("", "POST", "Patient/_search", query, "Content-Type: application/x-www-form-urlencoded")
			if r.status != 200 || len(r.get("entry").Array()) != 2 {
				t.Fatalf("SRCH-204: got %d %.300s, want two patients", r.status, r.body)
			}
			return r
		}
		long := next(form("_count=2&identifier=" + strings.ReplaceAll(strings.Join(identifiers, ","), "|", "%7C")))
		short := next(form("_count=2"))
		if len(long) != len(short) || !strings.Contains(long, "_page=") {
			t.Errorf("SRCH-204: the link of a long query has %d bytes, of a short one %d", len(long), len(short))
		}
		s.stop()
		s.start("--auth", "off")
		second := s.get("", long)
		if ids := second.get("entry.#.resource.id").Array(); second.status != 200 || len(ids) != 2 {
			t.Fatalf("SRCH-204: the second page, after a restart: %d %.300s", second.status, second.body)
		}
		third := s.do("", "POST", strings.Replace(next(second), "?", "/_search?", 1), "", "Content-Type: application/x-www-form-urlencoded")
		if third.status != 200 || len(third.get("entry").Array()) != 2 || next(third) != "" {
			t.Errorf("SRCH-208: the last page by POST: %d %.300s", third.status, third.body)
		}
		letter := map[bool]string{true: "B", false: "A"}[long[len(long)-9] == 'A']
		wantStatus(t, "SRCH-204: an altered link", s.get("", long[:len(long)-9]+letter+long[len(long)-8:]), 400, "invalid")
		s.stop()
		s.start("--auth", "off", "--limit", "page-life=1ms")
		wantStatus(t, "SRCH-204: an expired link", s.get("", long), 410, "expired")
	})
}
