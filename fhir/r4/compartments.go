package r4

import (
	_ "embed"
	"strings"
	"sync"
)

// Compartment returns the members of a compartment ("Patient", "Encounter", "Practitioner",
// "RelatedPerson", "Device"): for every member type the codes of the parameters of which any
// makes it a member. The code {def} means the resource itself. It returns nil if there is no such
// compartment.
func Compartment(name string) map[string][]string { return compartments()[name] }

//go:embed compartments_gen.tsv
var compartmentTable string

var compartments = sync.OnceValue(func() map[string]map[string][]string {
	all := map[string]map[string][]string{}
	var members map[string][]string
	for line := range lines(compartmentTable) {
		if name, ok := strings.CutPrefix(line, "= "); ok {
			members = map[string][]string{}
			all[name] = members
			continue
		}
		f := fields(line, 2)
		members[f[0]] = names(f[1])
	}
	return all
})
