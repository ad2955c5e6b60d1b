package edit

// TargetElements returns the paths of targetElements.
func TargetElements() []string {
	var paths []string
	for of, elements := range targetElements {
		for _, e := range elements {
			paths = append(paths, of+"."+e)
		}
	}
	return paths
}
