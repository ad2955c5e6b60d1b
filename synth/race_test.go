//go:build race

package synth_test

// raceEnabled says that times mean nothing.
const raceEnabled = true
