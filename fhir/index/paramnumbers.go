package index

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// paramName is a parameter of a resource type.
type paramName struct{ typ, code string }

// firstNumber is the first number of params.txt. Lower numbers are those of the server's own
// facts.
const firstNumber = 0x100

// FirstDefined and LastDefined bound the numbers of parameters of stored definitions.
// params.txt has none of them.
const (
	FirstDefined = 0x4000
	LastDefined  = 0x7fff
)

//go:embed params.txt
var numberTable string

var paramNumbers = sync.OnceValue(func() map[paramName]uint16 {
	all, err := parseNumbers(numberTable)
	if err != nil {
		panic("index: " + err.Error()) // the file is part of the program
	}
	return all
})

// parseNumbers reads lines of "number Type code".
func parseNumbers(table string) (map[paramName]uint16, error) {
	all := map[paramName]uint16{}
	seen := map[uint16]bool{}
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, fmt.Errorf("params.txt: %q is not a number, a type and a code", line)
		}
		n, err := strconv.ParseUint(f[0], 10, 15)
		name := paramName{f[1], f[2]}
		if err != nil || n < firstNumber || n >= FirstDefined || seen[uint16(n)] || all[name] != 0 {
			return nil, fmt.Errorf("params.txt: the number of %q is out of range or in use", line)
		}
		seen[uint16(n)] = true
		all[name] = uint16(n)
	}
	return all, nil
}
