package pages_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"carerecord/interop/pages"
)

// TestPatientChoiceIsShort: a page with more than 20 people is not rendered.
func TestPatientChoiceIsShort(t *testing.T) {
	p, _ := renderer(t, true)
	for n, ok := range map[int]bool{0: true, pages.MaxCandidates: true, pages.MaxCandidates + 1: false} {
		err := p.Render(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, origin, nil), http.StatusOK, pages.PatientChoice{Action: "/a", People: make([]pages.Candidate, n)}, pages.Options{})
		if (err == nil) != ok {
			t.Errorf("%d people: got %v, want a page: %v", n, err, ok)
		}
	}
}
