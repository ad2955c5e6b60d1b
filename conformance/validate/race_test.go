//go:build race

package validate_test

const raceDetector = true
