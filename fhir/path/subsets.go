package path

import (
	"slices"
	"strings"
)

// subsetFunctions looks up the functions of subsetting and combining (FHIRPath 5.3, 5.4).
func subsetFunctions(name string) (function, bool) {
	switch name {
	case "single":
		return function{0, 0, func(_ *runner, c call) []Item {
			if len(c.in) > 1 {
				fail(Execution, "single() is defined for one value, but there are %d", len(c.in))
			}
			return c.in
		}}, true
	case "first":
		return newSelection(func(in []Item) []Item { return in[:min(1, len(in))] }), true
	case "last":
		return newSelection(func(in []Item) []Item { return in[max(0, len(in)-1):] }), true
	case "tail":
		return newSelection(func(in []Item) []Item { return in[min(1, len(in)):] }), true
	case "skip", "take":
		return function{1, 1, func(r *runner, c call) []Item {
			n, _ := r.singleInteger(c.arg(r, 0))
			n = max(0, min(n, len(c.in)))
			if c.name == "take" {
				return c.in[:n]
			}
			return c.in[n:]
		}}, true
	case "intersect":
		return function{1, 1, func(r *runner, c call) []Item {
			other := c.arg(r, 0)
			return r.distinct(slices.DeleteFunc(slices.Clone(c.in), func(it Item) bool { return !r.contains(other, it) }))
		}}, true
	case "exclude":
		return function{1, 1, func(r *runner, c call) []Item {
			other := c.arg(r, 0)
			return slices.DeleteFunc(slices.Clone(c.in), func(it Item) bool { return r.contains(other, it) })
		}}, true
	case "union":
		return function{1, 1, func(r *runner, c call) []Item { return r.distinct(slices.Concat(c.in, c.arg(r, 0))) }}, true
	case "combine":
		return function{1, 2, func(r *runner, c call) []Item { return slices.Concat(c.in, c.arg(r, 0)) }}, true
	case "sort":
		return function{0, 8, evalSort}, true
	}
	return function{}, false
}

func newSelection(pick func([]Item) []Item) function {
	return function{0, 0, func(_ *runner, c call) []Item { return pick(c.in) }}
}

// evalSort sorts by keys, descending for a key with a minus. Values without a key come first in both
// directions.
func evalSort(r *runner, c call) []Item {
	keys := c.args
	if len(keys) == 0 {
		keys = []*term{{op: "this", name: "this"}}
	}
	out := slices.Clone(c.in)
	slices.SortStableFunc(out, func(a, b Item) int {
		for _, key := range keys {
			down := key.op == "unary" && key.name == "-"
			by := key
			if down {
				by = key.args[0]
			}
			x, okX := r.singleton(r.eval(by, c.frame.withThis(a, 0)))
			y, okY := r.singleton(r.eval(by, c.frame.withThis(b, 0)))
			order := 0
			switch {
			case okX && okY && down:
				order = r.compareForSort(y, x)
			case okX && okY:
				order = r.compareForSort(x, y)
			case okX:
				order = 1
			case okY:
				order = -1
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
	return out
}

func (r *runner) compareForSort(x, y Item) int {
	if x.kind == text && y.kind == text {
		return strings.Compare(x.text, y.text)
	}
	if isLess := r.compareOperator("<", x, y); len(isLess) == 1 && isLess[0].boolean {
		return -1
	}
	if more := r.compareOperator(">", x, y); len(more) == 1 && more[0].boolean {
		return 1
	}
	return 0
}
