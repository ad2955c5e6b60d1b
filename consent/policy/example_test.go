package policy_test

import (
	"testing"

	"carerecord/consent/policy"
)

// TestExampleFolder: the folder of docs/examples is one to start from: it can be read, assumes nothing, and each source system is of an
// organisation that signed the agreement.
func TestExampleFolder(t *testing.T) {
	folder, err := policy.Load("../../docs/examples/policy")
	if err != nil {
		t.Fatal(err)
	}
	if folder.Agreement.Relationship != "" {
		t.Errorf("got the relationship %q, which is for demonstrations alone", folder.Agreement.Relationship)
	}
	if len(folder.Clients) == 0 || len(folder.Roles) == 0 {
		t.Errorf("got %d clients and %d roles, want some of each", len(folder.Clients), len(folder.Roles))
	}
	for _, c := range folder.Clients {
		if !folder.Signed(c.Organisation) {
			t.Errorf("%s is of %q, which has not signed the agreement", c.ID, c.Organisation)
		}
	}
}
