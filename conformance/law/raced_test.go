//go:build race

package law_test

const raceDetector = true
