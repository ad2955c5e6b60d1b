package path

import "fmt"

// function is one function of the language.
type function struct {
	minArgs, maxArgs int
	// run receives the input of the function and its arguments.
	run func(r *runner, c call) []Item
}

// call is one call of a function.
type call struct {
	*term
	in    []Item
	frame frame
}

// arg evaluates an argument in the frame of the call, or returns nothing if it is missing.
func (c call) arg(r *runner, i int) []Item {
	if i >= len(c.args) {
		return nil
	}
	return r.eval(c.args[i], c.frame)
}

// evalOn evaluates an argument with one value as $this.
func (c call) evalOn(r *runner, i int, it Item, index int) []Item {
	return r.eval(c.args[i], c.frame.withThis(it, index))
}

// conditionHolds reports whether an argument is true with one value as $this.
func (c call) conditionHolds(r *runner, i int, it Item, index int) bool {
	return r.singleBoolean(c.evalOn(r, i, it, index)) == yes
}

// lookupFunction returns a function by name, or false if there is none.
func lookupFunction(name string) (function, bool) {
	for _, find := range []func(string) (function, bool){collectionFunctions, subsetFunctions, conversionFunctions, stringFunctions, stringEditFunctions, numberFunctions, navigationFunctions, precisionFunctions} {
		if f, ok := find(name); ok {
			return f, true
		}
	}
	return function{}, false
}

// checkCall fails for an unknown function and for a wrong number of arguments.
func checkCall(t *term) {
	f, ok := lookupFunction(t.name)
	switch {
	case !ok && isUnsupported(t.name):
		fail(Unsupported, "the function %s() is not supported", t.name)
	case !ok:
		fail(Syntax, "there is no function %s()", t.name)
	case len(t.args) < f.minArgs || len(t.args) > f.maxArgs:
		fail(Syntax, "the function %s() takes %s, not %d", t.name, f.arguments(), len(t.args))
	}
}

func (f function) arguments() string {
	if f.minArgs == f.maxArgs {
		return fmt.Sprintf("%d arguments", f.minArgs)
	}
	return fmt.Sprintf("%d to %d arguments", f.minArgs, f.maxArgs)
}

// isUnsupported reports whether a function of FHIR is not implemented, because it needs profiles or
// terminology.
func isUnsupported(name string) bool {
	switch name {
	case "conformsTo", "memberOf", "elementDefinition", "slice", "checkModifiers", "subsumes", "subsumedBy", "htmlChecks", "defineVariable":
		return true
	}
	return false
}

func (r *runner) call(t *term, in []Item, f frame) []Item {
	fn, ok := lookupFunction(t.name)
	if !ok {
		fail(Syntax, "there is no function %s()", t.name)
	}
	return fn.run(r, call{t, in, f})
}
