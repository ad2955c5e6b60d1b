package synth

// NHSNumber is nhsNumber for tests.
var NHSNumber = nhsNumber

// Misspell and Transpose are misspell and transpose for tests.
var (
	Misspell  = misspell
	Transpose = transpose
)
