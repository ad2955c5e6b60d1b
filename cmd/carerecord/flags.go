package main

import (
	"log/slog"
	"os"
	"strings"

	"carerecord/cmd/carerecord/internal/node"
)

// storeFlags name a store, for commands other than serve.
type storeFlags struct {
	Store  string `help:"pebble:DIR or mongodb://HOST/DATABASE." required:""`
	Keys   string `help:"Folder of the sealing keys. Default: keys in the folder of a Pebble store." type:"path"`
	Policy string `help:"Folder of the policy. Default: policy in the folder of a Pebble store." type:"path"`
}

// config returns the Config of a store, which is a demonstration if its policy folder says so.
func (f storeFlags) config() (node.Config, error) {
	address, err := node.ParseAddress(f.Store)
	if err != nil {
		return node.Config{}, err
	}
	cfg := node.Config{Address: address, KeysDir: f.Keys, PolicyDir: f.Policy, PublicURL: "http://127.0.0.1:8080", Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if err := cfg.FillFolders(); err != nil {
		return node.Config{}, err
	}
	cfg.FindDemo()
	return cfg, nil
}

// siteFlags are those of a command that makes or reads keys as the server of a store does.
type siteFlags struct {
	storeFlags
	PublicURL string `help:"Address of the site that the record is served at: keys of absolute references depend on it. Default: that of a demonstration, else http://127.0.0.1:8080. A running server uses its own."`
	Auth      string `help:"off: a store that is served with --auth off." enum:"smart,off" default:"smart"`
}

func (f siteFlags) config() (node.Config, error) {
	cfg, err := f.storeFlags.config()
	setAuth(&cfg, f.Auth)
	setPublicURL(&cfg, f.PublicURL)
	return cfg, err
}

// setAuth applies --auth.
func setAuth(cfg *node.Config, auth string) {
	if auth == "off" {
		cfg.Auth = node.AuthOff
	}
}

// setPublicURL applies --public-url.
func setPublicURL(cfg *node.Config, url string) {
	if url != "" {
		cfg.PublicURL = strings.TrimSuffix(url, "/")
	}
}
