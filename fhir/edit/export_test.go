package edit

// StandsFor returns the paths of the elements that stand for a target.
func StandsFor() []string {
	var paths []string
	for of, elements := range standsFor {
		for _, e := range elements {
			paths = append(paths, of+"."+e)
		}
	}
	return paths
}
