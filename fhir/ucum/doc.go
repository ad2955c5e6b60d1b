// Package ucum parses units of the Unified Code for Units of Measure (http://unitsofmeasure.org) and
// converts values to base units.
//
// Parse implements the whole grammar of the case sensitive codes: prefixes, products, quotients,
// exponents, parentheses, numbers, and annotations, which are ignored. A Unit has a Dimension: two
// units are commensurable if and only if their dimensions are equal. Canonical converts a value to
// the base units of the dimension, which are m, s, g, rad, K, C and cd.
//
// # Exactness
//
// Factors are rational numbers, so values that are equal by definition are equal here: 1 [in_i] is
// 2.54 cm, and 3 [Ch] are 1 mm. A canonical value has at most Digits digits. A value with more is
// returned as the two nearest such numbers, below and above. Three kinds of numbers are not exact:
// [pi] is the decimal of 65 digits in UCUM, measured constants are those of the table, and powers
// and logarithms are computed with more digits than are returned.
//
// # Special and arbitrary units
//
// A special unit ([degF], [pH], dB) has a function instead of a factor. It cannot be part of a
// product, but may have a prefix. Some functions decrease (more [pH] is less mol/L), see Falls. An
// arbitrary unit ([iU], [CFU]) is a dimension of its own; [IU] is another code of [iU].
//
// The table is units.tsv, which names its source.
package ucum
