package path

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"regexp"
	"regexp/syntax"
	"strings"
)

// newStringFunction makes a function of one string. It returns nothing for an empty input.
func newStringFunction(minArgs, maxArgs int, f func(r *runner, c call, s string) []Item) function {
	return function{minArgs, maxArgs, func(r *runner, c call) []Item {
		s, ok := r.singleString(c.in)
		if !ok {
			return nil
		}
		return f(r, c, s)
	}}
}

// newStringArgFunction makes a function of a string and one string argument. It returns nothing if one
// of them is empty.
func newStringArgFunction(f func(s, arg string) Item) function {
	return newStringFunction(1, 1, func(r *runner, c call, s string) []Item {
		arg, ok := r.singleString(c.arg(r, 0))
		if !ok {
			return nil
		}
		return []Item{f(s, arg)}
	})
}

func newStringMapFunction(f func(string) string) function {
	return newStringFunction(0, 0, func(_ *runner, _ call, s string) []Item { return []Item{textItem(f(s))} })
}

// stringFunctions looks up the functions that examine strings (FHIRPath 5.6).
func stringFunctions(name string) (function, bool) {
	switch name {
	case "indexOf":
		return newStringArgFunction(func(s, arg string) Item { return runePosition(s, strings.Index(s, arg)) }), true
	case "lastIndexOf":
		return newStringArgFunction(func(s, arg string) Item { return runePosition(s, strings.LastIndex(s, arg)) }), true
	case "startsWith":
		return newStringArgFunction(func(s, arg string) Item { return boolItem(strings.HasPrefix(s, arg)) }), true
	case "endsWith":
		return newStringArgFunction(func(s, arg string) Item { return boolItem(strings.HasSuffix(s, arg)) }), true
	case "contains":
		return newStringArgFunction(func(s, arg string) Item { return boolItem(strings.Contains(s, arg)) }), true
	case "matches":
		return newMatchFunction("(?s)", ""), true
	case "matchesFull":
		return newMatchFunction("(?s)^(?:", ")$"), true
	case "length":
		return newStringFunction(0, 0, func(_ *runner, _ call, s string) []Item { return []Item{intItem(len([]rune(s)))} }), true
	case "substring":
		return newStringFunction(1, 2, evalSubstring), true
	case "toChars":
		return newStringFunction(0, 0, func(_ *runner, _ call, s string) []Item {
			var out []Item
			for _, c := range s {
				out = append(out, textItem(string(c)))
			}
			return out
		}), true
	case "split":
		return newStringFunction(1, 1, func(r *runner, c call, s string) []Item {
			by, _ := r.singleString(c.arg(r, 0))
			var out []Item
			for _, part := range strings.Split(s, by) {
				out = append(out, textItem(part))
			}
			return out
		}), true
	}
	return function{}, false
}

func runePosition(s string, at int) Item {
	if at < 0 {
		return intItem(-1)
	}
	return intItem(len([]rune(s[:at])))
}

// maxPattern is the greatest length of a regular expression, in instructions of its program.
const maxPattern = 2000

// compilePattern compiles a regular expression and spends the cost of a match on a text of some
// length. RE2 takes time in proportion to both.
func (r *runner) compilePattern(source string, length int) *regexp.Regexp {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		fail(Execution, "invalid regular expression: %v", err)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		fail(Execution, "invalid regular expression: %v", err)
	}
	if len(prog.Inst) > maxPattern {
		fail(Costly, "a regular expression is too long")
	}
	r.spend(len(prog.Inst) * (length + 64) / 256)
	re, err := regexp.Compile(source)
	if err != nil {
		fail(Execution, "invalid regular expression: %v", err)
	}
	return re
}

func newMatchFunction(before, after string) function {
	return newStringFunction(1, 1, func(r *runner, c call, s string) []Item {
		arg, ok := r.singleString(c.arg(r, 0))
		if !ok {
			return nil
		}
		return []Item{boolItem(r.compilePattern(before+arg+after, len(s)).MatchString(s))}
	})
}

func evalSubstring(r *runner, c call, s string) []Item {
	chars := []rune(s)
	from, ok := r.singleInteger(c.arg(r, 0))
	if !ok || from < 0 || from >= len(chars) {
		return nil
	}
	to := len(chars)
	if len(c.args) == 2 {
		if n, ok := r.singleInteger(c.arg(r, 1)); ok {
			to = min(to, from+max(0, n))
		}
	}
	return []Item{textItem(string(chars[from:to]))}
}

// stringEditFunctions looks up the functions that return other strings.
func stringEditFunctions(name string) (function, bool) {
	switch name {
	case "upper":
		return newStringMapFunction(strings.ToUpper), true
	case "lower":
		return newStringMapFunction(strings.ToLower), true
	case "trim":
		return newStringMapFunction(trimSpace), true
	case "replace":
		return newReplaceFunction(func(_ *runner, s, old, now string) string { return strings.ReplaceAll(s, old, now) }), true
	case "replaceMatches":
		return newReplaceFunction(func(r *runner, s, old, now string) string {
			if old == "" {
				return s
			}
			return r.compilePattern("(?s)"+old, len(s)).ReplaceAllString(s, now)
		}), true
	case "join":
		return function{0, 1, func(r *runner, c call) []Item {
			var parts []string
			for _, it := range c.in {
				s, _ := r.singleString([]Item{it})
				parts = append(parts, s)
			}
			by, _ := r.singleString(c.arg(r, 0))
			if len(parts) == 0 {
				return nil
			}
			return []Item{textItem(strings.Join(parts, by))}
		}}, true
	case "encode", "decode", "escape", "unescape":
		return newStringFunction(1, 1, func(r *runner, c call, s string) []Item {
			form, _ := r.singleString(c.arg(r, 0))
			out, ok := recode(c.name, form, s)
			if !ok {
				return nil
			}
			return []Item{textItem(out)}
		}), true
	}
	return function{}, false
}

// newReplaceFunction makes a function that replaces text. It spends the possible length of the result.
func newReplaceFunction(f func(r *runner, s, old, now string) string) function {
	return newStringFunction(2, 2, func(r *runner, c call, s string) []Item {
		old, ok1 := r.singleString(c.arg(r, 0))
		now, ok2 := r.singleString(c.arg(r, 1))
		if !ok1 || !ok2 {
			return nil
		}
		r.spend((len(s) + 1) * (len(now) + 1) / 32)
		return []Item{textItem(f(r, s, old, now))}
	})
}

func recode(function, form, s string) (string, bool) {
	var out []byte
	var err error
	switch function + " " + form {
	case "encode base64":
		return base64.StdEncoding.EncodeToString([]byte(s)), true
	case "encode urlbase64":
		return base64.URLEncoding.EncodeToString([]byte(s)), true
	case "encode hex":
		return hex.EncodeToString([]byte(s)), true
	case "decode base64":
		out, err = base64.StdEncoding.DecodeString(s)
	case "decode urlbase64":
		out, err = base64.URLEncoding.DecodeString(s)
	case "decode hex":
		out, err = hex.DecodeString(s)
	case "escape html":
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s), true
	case "unescape html":
		return html.UnescapeString(s), true
	case "escape json":
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		err = enc.Encode(s)
		quoted := strings.TrimSuffix(b.String(), "\n")
		return strings.TrimSuffix(strings.TrimPrefix(quoted, `"`), `"`), err == nil
	case "unescape json":
		var text string
		bare := strings.NewReplacer(`\\`, `\\`, `\"`, `\"`, `"`, `\"`) // an unescaped quotation mark is kept
		err = json.Unmarshal([]byte(`"`+bare.Replace(s)+`"`), &text)
		return text, err == nil
	default:
		fail(Execution, "%s() does not support the format %q", function, form)
	}
	return string(out), err == nil
}
