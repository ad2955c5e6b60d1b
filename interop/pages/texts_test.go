package pages_test

import "testing"

// TestTextsOfServedLanguages: outside a demonstration the page of the texts has the languages alone that may be served, as every page (SMART-223).
func TestTextsOfServedLanguages(t *testing.T) {
	for demonstration, want := range map[bool]int{true: 2, false: 1} {
		p, _ := renderer(t, demonstration)
		page := p.Texts()
		for _, part := range page.Parts {
			for _, one := range part.Texts {
				if len(one.In) != want || one.In[0].Language != "en" || !one.In[0].Reviewed || want == 2 && one.In[1].Reviewed {
					t.Fatalf("SMART-223: in a demonstration: %t: got %+v", demonstration, one)
				}
			}
		}
		if len(page.Parts) < 10 || page.Version == "" {
			t.Errorf("SMART-224: got %d parts of the version %q", len(page.Parts), page.Version)
		}
	}
}
