package path

import (
	"strings"
	"time"
)

// navigationFunctions looks up the functions of navigation and utility (FHIRPath 5.8, 5.9) and
// those that FHIR adds (fhirpath.html#functions).
func navigationFunctions(name string) (function, bool) {
	switch name {
	case "children":
		return function{0, 0, func(r *runner, c call) []Item { return r.childrenOf(c.in) }}, true
	case "descendants":
		return function{0, 0, func(r *runner, c call) []Item {
			var out []Item
			for level := r.childrenOf(c.in); len(level) > 0; level = r.childrenOf(level) {
				out = append(out, level...)
			}
			return out
		}}, true
	case "trace":
		return function{1, 2, func(r *runner, c call) []Item {
			c.arg(r, 0)
			return c.in
		}}, true
	case "now":
		return function{0, 0, func(r *runner, _ call) []Item {
			return []Item{momentItem(moment{known: 6, fractionDigits: 3, hasZone: true}.withTime(r.now()))}
		}}, true
	case "today":
		return function{0, 0, func(r *runner, _ call) []Item {
			return []Item{momentItem(moment{known: 3, isDate: true}.withTime(r.now()))}
		}}, true
	case "timeOfDay":
		return function{0, 0, func(r *runner, _ call) []Item {
			return []Item{momentItem(moment{known: 6, fractionDigits: 3, isTimeOfDay: true}.withTime(r.now()))}
		}}, true
	case "extension":
		return function{1, 1, func(r *runner, c call) []Item {
			url, ok := r.singleString(c.arg(r, 0))
			if !ok {
				return nil
			}
			var out []Item
			for _, it := range c.in {
				found, _ := it.appendElementItems("extension", nil)
				for _, e := range found {
					if r.spend(0); e.GetText("url") == url {
						out = append(out, e)
					}
				}
			}
			return out
		}}, true
	case "hasValue":
		return function{0, 0, func(_ *runner, c call) []Item {
			return []Item{boolItem(len(c.in) == 1 && c.in[0].hasOwnValue())}
		}}, true
	case "getValue":
		return function{0, 0, func(_ *runner, c call) []Item {
			if len(c.in) == 1 && c.in[0].hasOwnValue() {
				if it, ok := c.in[0].systemValue(); ok {
					return []Item{it}
				}
			}
			return nil
		}}, true
	case "resolve":
		return function{0, 0, evalResolve}, true
	}
	return function{}, false
}

func (r *runner) childrenOf(in []Item) []Item {
	var out []Item
	for _, it := range in {
		before := len(out)
		out = it.appendChildItems(out)
		r.spend(len(out) - before)
	}
	return out
}

func (r *runner) now() time.Time {
	if r.env.Now.IsZero() {
		fail(Unsupported, "the current time is not available here")
	}
	return r.env.Now.UTC()
}

// evalResolve follows references to contained resources and omits all others.
func evalResolve(r *runner, c call) []Item {
	var out []Item
	for _, it := range c.in {
		ref := it.text
		if it.kind == element && it.Type == "Reference" {
			ref = it.GetText("reference")
		}
		id, local := strings.CutPrefix(ref, "#")
		if !local || len(r.resource) == 0 {
			continue
		}
		contained, _ := r.resource[0].appendElementItems("contained", nil)
		for _, target := range contained {
			if r.spend(0); target.GetText("id") == id {
				out = append(out, target)
			}
		}
		if id == "" {
			out = append(out, r.resource...)
		}
	}
	return out
}
