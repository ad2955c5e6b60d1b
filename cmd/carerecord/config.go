package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"

	"github.com/alecthomas/kong"
	"github.com/go-json-experiment/json"
)

// configFile is a file of flags: a JSON object whose keys are names of flags without dashes. As
// an environment variable, CARERECORD_ and the name, a value applies to every command that has
// the flag. The command line has priority over the environment, and the environment over the
// file; that also holds for two flags that exclude each other. A key that is repeated, unknown,
// or has a value of a wrong kind is an error.
type configFile map[string]any

// BeforeResolve reads the file of --config. The error lists every mistake in it.
func (c *cli) BeforeResolve(ctx *kong.Context) error {
	dropRivals(ctx)
	file := os.Getenv("CARERECORD_CONFIG")
	for _, p := range ctx.Path {
		if p.Flag != nil && p.Flag.Name == "config" {
			file = fmt.Sprint(ctx.FlagValue(p.Flag))
		}
	}
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	var values configFile
	if err := json.Unmarshal(text, &values); err != nil {
		return fmt.Errorf("configuration %s: %w", file, err)
	}
	if err := values.check(ctx); err != nil {
		return fmt.Errorf("configuration %s:\n%w", file, err)
	}
	ctx.AddResolver(values)
	return nil
}

// check returns an error that lists every key that no command has, and every value that its flag
// cannot have.
func (f configFile) check(ctx *kong.Context) error {
	known := map[string]*kong.Flag{}
	collectFlags(ctx.Model.Node, known)
	for _, flag := range ctx.Flags() { // several commands may have a flag of this name
		known[flag.Name] = flag
	}
	delete(known, "help")
	delete(known, "config")
	var all []error
	for _, key := range slices.Sorted(maps.Keys(f)) {
		flag := known[key]
		text, scalar := flagText(f[key])
		_, isBool := f[key].(bool)
		switch {
		case flag == nil:
			all = append(all, fmt.Errorf("%q is not a flag of any command", key))
		case !scalar:
			all = append(all, fmt.Errorf("%q must be a string, a number, true or false", key))
		case flag.IsBool() && !isBool:
			all = append(all, fmt.Errorf("%q must be true or false", key))
		case flag.Enum != "" && !slices.Contains(flag.EnumSlice(), text):
			all = append(all, fmt.Errorf("%q must be one of %s, not %q", key, flag.Enum, text))
		}
	}
	return errors.Join(all...)
}

// collectFlags adds the flags of a command and of its subcommands, by name.
func collectFlags(node *kong.Node, into map[string]*kong.Flag) {
	for _, flag := range node.Flags {
		into[flag.Name] = flag
	}
	for _, child := range node.Children {
		collectFlags(child, into)
	}
}

// flagText returns a JSON value as the text of a flag; false if it has none.
func flagText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// Validate implements kong.Resolver. The file was checked when it was read.
func (f configFile) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (f configFile) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := f[flag.Name]
	if !ok || flag.Name == "config" || flag.Name == "help" || inEnvironment(flag) {
		return nil, nil
	}
	for _, rival := range rivals(ctx, flag) {
		if onCommandLine(ctx, rival) || inEnvironment(rival) {
			return nil, nil
		}
	}
	text, _ := flagText(value)
	return text, nil
}

// dropRivals unsets flags from the environment that a flag on the command line excludes.
func dropRivals(ctx *kong.Context) {
	for _, flag := range ctx.Flags() {
		if !onCommandLine(ctx, flag) {
			continue
		}
		for _, rival := range rivals(ctx, flag) {
			if !onCommandLine(ctx, rival) {
				rival.Target.Set(reflect.Zero(rival.Target.Type()))
				rival.Set = false
			}
		}
	}
}

// rivals returns the flags that cannot be used together with a flag.
func rivals(ctx *kong.Context, flag *kong.Flag) (all []*kong.Flag) {
	for _, other := range ctx.Flags() {
		if other != flag && slices.ContainsFunc(other.Xor, func(x string) bool { return slices.Contains(flag.Xor, x) }) {
			all = append(all, other)
		}
	}
	return all
}

func onCommandLine(ctx *kong.Context, flag *kong.Flag) bool {
	return slices.ContainsFunc(ctx.Path, func(p *kong.Path) bool { return p.Flag == flag && !p.Resolved })
}

func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool { _, set := os.LookupEnv(name); return set })
}
