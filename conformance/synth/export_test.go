package synth

// NHSNumber is nhsNumber for tests.
var NHSNumber = nhsNumber
