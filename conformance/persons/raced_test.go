//go:build race

package persons

// modelSteps is how many random steps are compared with the model; with the race detector fewer.
const modelSteps = 2_000

// truthPeople is how many people the synthetic region of TestTruth has.
const truthPeople = 300
