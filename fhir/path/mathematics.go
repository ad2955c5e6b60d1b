package path

import "github.com/cockroachdb/apd/v3"

// numberFunctions looks up the functions of numbers (FHIRPath 5.7).
func numberFunctions(name string) (function, bool) {
	switch name {
	case "abs":
		return newNumberFunction(0, func(_ *apd.Context, out, n, _ *apd.Decimal) (apd.Condition, error) {
			out.Abs(n)
			return 0, nil
		}, 0), true
	case "ceiling":
		return newNumberFunction(0, func(c *apd.Context, out, n, _ *apd.Decimal) (apd.Condition, error) { return c.Ceil(out, n) }, integer), true
	case "floor":
		return newNumberFunction(0, func(c *apd.Context, out, n, _ *apd.Decimal) (apd.Condition, error) { return c.Floor(out, n) }, integer), true
	case "truncate":
		return newNumberFunction(0, func(_ *apd.Context, out, n, _ *apd.Decimal) (apd.Condition, error) {
			out.Set(truncate(n))
			return 0, nil
		}, integer), true
	case "exp":
		return newNumberFunction(0, func(c *apd.Context, out, n, _ *apd.Decimal) (apd.Condition, error) { return c.Exp(out, n) }, decimal), true
	case "ln":
		return newNumberFunction(0, func(c *apd.Context, out, n, _ *apd.Decimal) (apd.Condition, error) { return c.Ln(out, n) }, decimal), true
	case "sqrt":
		return newNumberFunction(0, func(c *apd.Context, out, n, _ *apd.Decimal) (apd.Condition, error) { return c.Sqrt(out, n) }, decimal), true
	case "log":
		return newNumberFunction(1, computeLog, decimal), true
	case "power":
		return newNumberFunction(1, func(c *apd.Context, out, n, by *apd.Decimal) (apd.Condition, error) { return c.Pow(out, n, by) }, 0), true
	case "round":
		return function{0, 1, evalRound}, true
	}
	return function{}, false
}

// newNumberFunction makes a function of a number and of args arguments, none or one. The result has
// the kind to. If to is 0, it has the kind of the input, or is a Decimal if it is not whole. The
// function returns nothing if the argument is missing or if there is no result.
func newNumberFunction(args int, f func(c *apd.Context, out, n, arg *apd.Decimal) (apd.Condition, error), to kind) function {
	return function{args, args, func(r *runner, c call) []Item {
		it, ok := r.singleton(c.in)
		if len(c.in) == 0 {
			return nil
		}
		if !ok || !it.numeric() && (it.kind != quantity || c.name != "abs") {
			fail(Execution, "%s() is defined for numbers, not for a %s", c.name, c.in[0].TypeName())
		}
		var arg *apd.Decimal
		if args == 1 {
			by, ok := r.singleton(c.arg(r, 0))
			if !ok || !by.numeric() {
				return nil
			}
			arg = by.num
		}
		// The bound limits the time of exponentials and powers.
		if big := apd.New(1, 6); c.name != "abs" && to != integer && (it.num.Cmp(big) > 0 && c.name == "exp" || arg != nil && arg.Cmp(big) > 0) {
			return nil
		}
		out := new(apd.Decimal)
		cond, err := f(decimalContext(), out, it.num, arg)
		if out, ok = finiteResult(out, cond, err); !ok {
			return nil
		}
		if r.spend(64); to == 0 && it.kind != integer || to == 0 && out.Exponent < 0 {
			to := decimal
			if it.kind == quantity {
				to = quantity
			}
			return []Item{{kind: to, num: out, unit: it.unit, isCalendar: it.isCalendar}}
		}
		if to == 0 {
			return []Item{{kind: integer, num: out}}
		}
		return []Item{{kind: to, num: out}}
	}}
}

func computeLog(c *apd.Context, out, n, base *apd.Decimal) (apd.Condition, error) {
	a, b := new(apd.Decimal), new(apd.Decimal)
	if cond, err := c.Ln(a, n); err != nil {
		return cond, err
	}
	if cond, err := c.Ln(b, base); err != nil {
		return cond, err
	}
	cond, err := c.Quo(out, a, b)
	if err == nil { // the last digits are inexact: without rounding 4 would be 3.999…
		out.Set(roundHalfUp(out, -precision+8))
		out.Reduce(out)
	}
	return cond, err
}

func evalRound(r *runner, c call) []Item {
	it, ok := r.singleton(c.in)
	if len(c.in) == 0 {
		return nil
	}
	if !ok || !it.numeric() {
		fail(Execution, "round() is defined for numbers, not for a %s", c.in[0].TypeName())
	}
	places, _ := r.singleInteger(c.arg(r, 0))
	if places < 0 || places > maxExponent {
		fail(Execution, "round() cannot round to %d decimal places", places)
	}
	return []Item{decimalItem(roundHalfUp(it.num, int32(-places)))}
}
