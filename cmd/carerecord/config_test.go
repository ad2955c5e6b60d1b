package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"carerecord/interop/smart/capabilities"
)

// parse parses a command line as run does.
func parse(t *testing.T, args ...string) (cli, error) {
	t.Helper()
	var c cli
	parser, err := newParser(t.Context(), &c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return c, err
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestConfigFile: the environment has priority over the file, and the command line over both
// (design §6).
func TestConfigFile(t *testing.T) {
	file := writeConfig(t, `{"store":"pebble:file","listen":"file:1","demo":true,"lease":"20s","public-url":"http://file","patients":7}`)
	t.Setenv("CARERECORD_LISTEN", "environment:2")
	t.Setenv("CARERECORD_PUBLIC_URL", "http://environment")
	c, err := parse(t, "serve", "--config", file, "--public-url", "http://line")
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Serve.Store, c.Serve.Demo, c.Serve.Lease, c.Serve.Listen, c.Serve.PublicURL, c.Serve.Auth}
	want := []any{"pebble:file", true, 20 * time.Second, "environment:2", "http://line", "smart"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("serve: got %v, want %v", got, want)
	}
	t.Setenv("CARERECORD_CONFIG", file)
	if c, err = parse(t, "synth", "--out", t.TempDir()); err != nil || c.Synth.Patients != 7 {
		t.Errorf("synth, with the file named by the environment: got %d patients, %v, want 7", c.Synth.Patients, err)
	}
	if c, err = parse(t, "load", "--to", "http://x/fhir", file); err != nil || c.Load.Store != "" {
		t.Errorf("load --to, with a store in the file: got store %q, %v, want none", c.Load.Store, err)
	}
}

// TestRivalFlags: a flag on the command line replaces one that excludes it and comes from the
// environment or the file, and one from the environment replaces one from the file.
func TestRivalFlags(t *testing.T) {
	file := writeConfig(t, `{"to":"http://file/fhir"}`)
	t.Setenv("CARERECORD_STORE", "pebble:environment")
	for _, c := range []struct {
		name      string
		args      []string
		store, to string
	}{
		{"a server on the command line, a store in the environment", []string{"--to", "http://line/fhir"}, "", "http://line/fhir"},
		{"a store in the environment, a server in the file", []string{"--config", file}, "pebble:environment", ""},
		{"a store on the command line, a server in the file", []string{"--store", "pebble:line", "--config", file}, "pebble:line", ""},
	} {
		got, err := parse(t, append(append([]string{"load"}, c.args...), file)...)
		if err != nil || got.Load.Store != c.store || got.Load.To != c.to {
			t.Errorf("%s: got store %q, server %q, %v; want %q and %q", c.name, got.Load.Store, got.Load.To, err, c.store, c.to)
		}
	}
	if _, err := parse(t, "load", "--store", "pebble:line", "--to", "http://line/fhir", file); err == nil {
		t.Error("both on the command line: got no error")
	}
}

// TestNoCommand: without a command the commands are listed on standard error, and help lists
// them on standard output.
func TestNoCommand(t *testing.T) {
	for _, c := range []struct {
		args []string
		want error
	}{{nil, errNoCommand}, {[]string{"help"}, nil}} {
		var out, errOut bytes.Buffer
		err := run(t.Context(), c.args, &out, &errOut)
		shown := &out
		if c.want != nil {
			shown = &errOut
		}
		if !errors.Is(err, c.want) || out.Len()+errOut.Len() != shown.Len() || !strings.Contains(shown.String(), "serve --store=STRING") {
			t.Errorf("carerecord %v: got %v, %q and %q, want the commands", c.args, err, out.String(), errOut.String())
		}
	}
}

// TestConfigFileKnowsEveryFlag: every flag of every command can be given in the file.
func TestConfigFileKnowsEveryFlag(t *testing.T) {
	var c cli
	parser, err := newParser(t.Context(), &c)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]*kong.Flag{}
	collectFlags(parser.Model.Node, known)
	for name, flag := range known {
		if name == "help" || name == "config" {
			continue
		}
		if len(flag.Envs) == 0 || !strings.HasPrefix(flag.Envs[0], "CARERECORD_") {
			t.Errorf("--%s has the environment variables %v", name, flag.Envs)
		}
		value := `"1"`
		switch {
		case flag.IsBool():
			value = "true"
		case flag.Enum != "":
			value = `"` + flag.EnumSlice()[0] + `"`
		}
		if _, err := parse(t, "serve", "--store", "pebble:x", "--config", writeConfig(t, `{"`+name+`":`+value+`}`)); err != nil && strings.Contains(err.Error(), "not a flag") {
			t.Errorf("--%s cannot be given in the file: %v", name, err)
		}
	}
}

// TestConfigFileMistakes: unknown keys and wrong values are errors, and all are listed at once.
func TestConfigFileMistakes(t *testing.T) {
	file := writeConfig(t, `{"stor":"pebble:x","demo":"yes","auth":"none","keys":["a"],"listn":"x"}`)
	_, err := parse(t, "serve", "--config", file)
	if err == nil {
		t.Fatal("got no error")
	}
	for _, part := range []string{`"stor" is not a flag`, `"listn" is not a flag`, `"demo" must be true or false`, `"auth" must be one of smart,off`, `"keys" must be a string`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want it to say %q", err, part)
		}
	}
	for _, text := range []string{`{"store":"a","store":"b"}`, `[]`, `{`, ``, `{"config":"x"}`} {
		if _, err := parse(t, "serve", "--store", "pebble:x", "--config", writeConfig(t, text)); err == nil {
			t.Errorf("%q: got no error", text)
		}
	}
}

// TestServeMistakes: all mistakes in the settings of serve are listed at once, before anything is
// opened.
func TestServeMistakes(t *testing.T) {
	_, err := (&serveCmd{Listen: "nowhere", Store: "file:x", PublicURL: "http://x/fhir", Auth: "off", Demo: true, Lease: time.Millisecond, SmartWithout: []string{"none"}, SmartWith: []string{"launch-ehr"}}).config()
	if err == nil {
		t.Fatal("got no error")
	}
	for _, part := range []string{"--listen", "--store", "--public-url", "--demo", "--lease", "--smart-without", "--smart-with"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want it to name %s", err, part)
		}
	}
	for _, c := range []serveCmd{
		{Listen: "127.0.0.1:0", Store: "mongodb://h/d", Auth: "smart", Lease: time.Second},
	} {
		if _, err := c.config(); err == nil {
			t.Errorf("%+v: got no error", c)
		}
	}
	good := serveCmd{Listen: "127.0.0.1:0", Store: "mongodb://h/d", Auth: "smart", Lease: time.Second, PublicURL: "https://h/", Keys: "k", Policy: "p"}
	good.SmartWith = []string{capabilities.ContextStyle}
	if cfg, err := good.config(); err != nil || !cfg.Capabilities.Has(capabilities.ContextStyle) {
		t.Errorf("good settings: %v", err)
	}
}
