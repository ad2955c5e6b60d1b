package index

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"carerecord/fhir/r4"
)

var rewrite = flag.Bool("rewrite", false, "append missing numbers to params.txt, rewrite golden files")

// Every parameter with an expression has a number, which it keeps for ever:
// keys in stores begin with it. Run with -rewrite to append what is new.
func TestEveryParameterHasItsNumber(t *testing.T) {
	var missing []paramName
	next := uint16(firstNumber)
	for _, n := range paramNumbers() {
		next = max(next, n+1)
	}
	for _, typ := range r4.Resources() {
		for _, p := range r4.SearchParams(typ) {
			name := paramName{typ, p.Code}
			if (p.Expression != "" || isWords(p.Code)) && paramNumbers()[name] == 0 {
				missing = append(missing, name)
			}
		}
	}
	if len(missing) == 0 {
		return
	}
	if !*rewrite {
		t.Fatalf("params.txt lacks %d parameters, the first is %v; run with -rewrite to append them", len(missing), missing[0])
	}
	b := bytes.NewBufferString(numberTable)
	for i, name := range missing {
		fmt.Fprintf(b, "%d %s %s\n", int(next)+i, name.typ, name.code)
	}
	if err := os.WriteFile("params.txt", b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestParseNumbersRefuses(t *testing.T) {
	for _, table := range []string{"1 A b", "255 A b", "32768 A b", "256 A", "256 A b\n256 A c", "256 A b\n257 A b", "x A b"} {
		if got, err := parseNumbers(table); err == nil {
			t.Errorf("%q: got %v, want an error", table, got)
		}
	}
}

// The first lines of the file are what old stores were written with.
func TestNumbersStandStill(t *testing.T) {
	for name, want := range map[paramName]uint16{{"Account", "_id"}: 256} {
		if got := paramNumbers()[name]; got != want {
			t.Errorf("%v: got number %d, want %d", name, got, want)
		}
	}
	var all []int
	for _, n := range paramNumbers() {
		all = append(all, int(n))
	}
	slices.Sort(all)
	if last := all[len(all)-1]; last != firstNumber+len(all)-1 {
		t.Errorf("got %d numbers up to %d: there are gaps", len(all), last)
	}
}
