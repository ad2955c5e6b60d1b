package suite

import (
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
)

// readBackTransaction reads every resource of an answered transaction and compares it with the resource that was
// sent. It returns the number of resources.
func readBackTransaction(s *server, bundle string, r reply) (int, error) {
	if r.status != 200 {
		return 0, fmt.Errorf("REST-220: got %d %s", r.status, r.body)
	}
	entries, answers := gjson.Get(bundle, "entry").Array(), r.get("entry").Array()
	if len(entries) != len(answers) {
		return 0, fmt.Errorf("REST-220: got %d answers for %d entries", len(answers), len(entries))
	}
	var links []string
	paths := make([]string, len(entries))
	for i, a := range answers {
		location := strings.TrimPrefix(a.Get("response.location").Str, s.base+"/")
		paths[i], _, _ = strings.Cut(location, "/_history")
		links = append(links, `"`+entries[i].Get("fullUrl").Str+`"`, `"`+paths[i]+`"`)
	}
	rewrite := strings.NewReplacer(links...)
	for i, e := range entries {
		sent, err := fhir.Parse([]byte(rewrite.Replace(e.Get("resource").Raw)))
		if err != nil {
			return i, err
		}
		got := s.get("", paths[i])
		at, err := time.Parse(fhir.InstantFormat, got.get("meta.lastUpdated").Str)
		if err != nil {
			return i, fmt.Errorf("%s: %w", paths[i], err)
		}
		_, id, _ := strings.Cut(paths[i], "/")
		if want := string(fhir.Stamp(sent.Body, id, 1, at)); got.body != want {
			return i, fmt.Errorf("REST-092: %s came back changed:\ngot  %s\nwant %s", paths[i], got.body, want)
		}
	}
	return len(entries), nil
}
