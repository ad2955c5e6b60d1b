package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/alecthomas/kong"
	"github.com/go-json-experiment/json"
)

// configFile is a file of flags: a JSON object with a flag's name, without its
// dashes, for each key. As with environment variables, which are
// CARERECORD_ and the name, one value is for every command that has the flag.
// What stands on the command line counts before the environment, and that
// before the file. Named twice, unknown or of a wrong kind is an error.
type configFile map[string]any

// BeforeResolve reads the file of --config. Every mistake in it is named.
func (c *cli) BeforeResolve(ctx *kong.Context) error {
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
	if err := values.mistakes(ctx); err != nil {
		return fmt.Errorf("configuration %s:\n%w", file, err)
	}
	ctx.AddResolver(values)
	return nil
}

// mistakes names every key that no command has, and every value that the
// command's flag cannot have.
func (f configFile) mistakes(ctx *kong.Context) error {
	known := map[string]*kong.Flag{}
	flagsOf(ctx.Model.Node, known)
	for _, flag := range ctx.Flags() { // of this command, where several have the name
		known[flag.Name] = flag
	}
	delete(known, "help")
	delete(known, "config")
	var all []error
	for _, key := range slices.Sorted(maps.Keys(f)) {
		flag := known[key]
		text, scalar := written(f[key])
		_, truth := f[key].(bool)
		switch {
		case flag == nil:
			all = append(all, fmt.Errorf("%q is no flag of any command", key))
		case !scalar:
			all = append(all, fmt.Errorf("%q is a string, a number, true or false", key))
		case flag.IsBool() && !truth:
			all = append(all, fmt.Errorf("%q is true or false", key))
		case flag.Enum != "" && !slices.Contains(flag.EnumSlice(), text):
			all = append(all, fmt.Errorf("%q is one of %s, not %q", key, flag.Enum, text))
		}
	}
	return errors.Join(all...)
}

func flagsOf(node *kong.Node, known map[string]*kong.Flag) {
	for _, flag := range node.Flags {
		known[flag.Name] = flag
	}
	for _, child := range node.Children {
		flagsOf(child, known)
	}
}

// written is a value as it would stand on the command line.
func written(value any) (string, bool) {
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

// Validate implements kong.Resolver. Mistakes were named when the file was read.
func (f configFile) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (f configFile) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := f[flag.Name]
	if !ok || flag.Name == "config" || flag.Name == "help" {
		return nil, nil
	}
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	for _, p := range ctx.Path { // what excludes it stands on the command line
		if p.Flag != nil && !p.Resolved && slices.ContainsFunc(p.Flag.Xor, func(x string) bool { return slices.Contains(flag.Xor, x) }) {
			return nil, nil
		}
	}
	text, _ := written(value)
	return text, nil
}
