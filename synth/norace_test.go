//go:build !race

package synth_test

// raceEnabled says that times are those of the program.
const raceEnabled = false
