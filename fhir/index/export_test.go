package index

// Rewriting reports whether the tests rewrite golden files.
func Rewriting() bool { return *rewrite }

// OwnerTypes returns the types of owners.txt.
func OwnerTypes() []string {
	rules, err := parseOwners(ownerTable)
	if err != nil {
		panic(err)
	}
	var list []string
	for typ := range rules {
		list = append(list, typ)
	}
	return list
}
