// Package ucum reads units of the Unified Code for Units of Measure
// (http://unitsofmeasure.org) and says what a value is in base units.
//
// Parse knows the whole grammar of the case sensitive codes: prefixes, products,
// quotients, exponents, parentheses, numbers and annotations, which mean
// nothing. A Unit has a Dimension: two units are commensurable if and only if
// their dimensions are the same text. Canonical makes of a value one in the base
// units of the dimension, which are m, s, g, rad, K, C and cd.
//
// # Exactness
//
// Factors are rational numbers, so that what is equal by definition is equal
// here: 1 [in_i] is 2.54 cm, and 3 [Ch] are 1 mm. A canonical value has at most
// Digits digits; one that would have more is given by the two numbers next to
// it, below and above. Three kinds of numbers are not what nature has: [pi] is the
// decimal of 65 digits that UCUM prints, measured constants are what the table
// says, and powers and logarithms are computed with more digits than are given.
//
// # Special and arbitrary units
//
// A special unit ([degF], [pH], dB) has a function instead of a factor. It stands
// alone, with or without a prefix, and never within a product. Some functions
// fall (more [pH] is less mol/L), which Falls tells. An arbitrary unit ([iU],
// [CFU]) is a dimension of its own; [IU] is another code of [iU].
//
// The table is units.tsv, which names its source.
package ucum
