package ucum

import (
	_ "embed"
	"fmt"
	"math/big"
	"strings"
	"sync"
)

//go:embed units.tsv
var unitTable string

// units is the table, read when the first unit is.
var units = sync.OnceValue(func() *table {
	t, err := readTable(unitTable)
	if err != nil {
		panic("ucum: " + err.Error()) // the file is part of the program
	}
	return t
})

// table has the atoms and prefixes of codes.
type table struct {
	prefixes map[string]*big.Rat
	atoms    map[string]atom
}

// atom is a unit with a symbol of its own.
type atom struct {
	unit   Unit
	metric bool // takes prefixes
}

// definition is a line of the file.
type definition struct {
	kind, code, function, number, unit string
	metric                             bool
}

// reading makes the table; a definition may name units of later lines.
type reading struct {
	table   *table
	defined map[string]definition
	open    map[string]bool // being resolved
}

func readTable(text string) (*table, error) {
	r := &reading{
		table:   &table{map[string]*big.Rat{}, map[string]atom{}},
		defined: map[string]definition{}, open: map[string]bool{},
	}
	var order []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		switch {
		case f[0] == "prefix" && len(f) == 3:
			factor, ok := new(big.Rat).SetString(f[2])
			if !ok {
				return nil, fmt.Errorf("units.tsv: %q has no factor", line)
			}
			r.table.prefixes[f[1]] = factor
			continue
		case f[0] == "base" && len(f) == 2:
			n, u := len(r.table.atoms), one()
			if n == len(baseUnits) || baseUnits[n] != f[1] {
				return nil, fmt.Errorf("units.tsv: the base unit %q is out of order", f[1])
			}
			u.dims[n] = 1
			r.table.atoms[f[1]] = atom{u, true}
			continue
		case (f[0] == "unit" || f[0] == "arbitrary") && len(f) == 5:
			r.defined[f[1]] = definition{kind: f[0], code: f[1], metric: f[2] == "metric", number: f[3], unit: f[4]}
		case f[0] == "special" && len(f) == 6:
			r.defined[f[1]] = definition{kind: f[0], code: f[1], metric: f[2] == "metric", function: f[3], number: f[4], unit: f[5]}
		default:
			return nil, fmt.Errorf("units.tsv: cannot parse %q", line)
		}
		order = append(order, f[1])
	}
	for _, code := range order {
		if _, err := r.atom(code); err != nil {
			return nil, fmt.Errorf("units.tsv: %s: %w", code, err)
		}
	}
	return r.table, nil
}

// atom finds a symbol, and resolves its definition when it is asked for first.
func (r *reading) atom(code string) (atom, error) {
	if a, ok := r.table.atoms[code]; ok {
		return a, nil
	}
	d, ok := r.defined[code]
	if !ok || r.open[code] {
		return atom{}, errUnknown
	}
	r.open[code] = true
	u, err := r.resolve(d)
	if err != nil {
		return atom{}, err
	}
	a := atom{u, d.metric}
	r.table.atoms[code] = a
	return a, nil
}

func (r *reading) resolve(d definition) (Unit, error) {
	u, err := parse(d.unit, r.table.prefixes, r.atom)
	if err != nil {
		return Unit{}, err
	}
	number, ok := new(big.Rat).SetString(d.number)
	if !ok || number.Sign() <= 0 {
		return Unit{}, fmt.Errorf("%q is not a number", d.number)
	}
	u.factor = new(big.Rat).Mul(u.factor, number)
	switch {
	case d.kind == "arbitrary" && d.unit == "1":
		u.arbitrary = []power{{d.code, 1}}
	case d.kind == "special":
		f, ok := functions()[d.function]
		if !ok {
			return Unit{}, fmt.Errorf("there is no function %q", d.function)
		}
		u.special, u.scale = &f, big.NewRat(1, 1)
	}
	return u, nil
}

// atom finds a symbol of the finished table.
func (t *table) atom(code string) (atom, error) {
	a, ok := t.atoms[code]
	if !ok {
		return atom{}, errUnknown
	}
	return a, nil
}
