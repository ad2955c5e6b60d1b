package synth

// NHSNumbers returns the first n numbers of the test range.
func NHSNumbers(n int) []string {
	var r nhsNumbers
	list := make([]string, n)
	for i := range list {
		list[i] = r.next()
	}
	return list
}

// Misspell and Transpose are misspell and transpose for tests.
var (
	Misspell  = misspell
	Transpose = transpose
)
