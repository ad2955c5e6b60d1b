//go:build !race

package persons

// modelSteps is how many random steps are compared with the model.
const modelSteps = 50_000

// truthPeople is how many people the synthetic region of TestTruth has.
const truthPeople = 2000
