package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/pebble"
)

// place says where a store is: an engine's address, and the folder in which
// keys, policy and the socket of a running server lie.
type place struct {
	address string // as --store names it
	folder  string // of a Pebble store; "" for MongoDB
}

func placeOf(address string) (place, error) {
	if dir, ok := strings.CutPrefix(address, "pebble:"); ok && dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return place{}, fmt.Errorf("store %s: %w", address, err)
		}
		return place{address: address, folder: abs}, nil
	}
	if strings.HasPrefix(address, "mongodb://") || strings.HasPrefix(address, "mongodb+srv://") {
		return place{address: address}, nil
	}
	return place{}, fmt.Errorf("--store is pebble:DIR or mongodb://HOST/DATABASE, not %q", address)
}

// open opens the engine. A Pebble store is made where there is none.
func (p place) open(ctx context.Context) (store.Engine, error) {
	if p.folder != "" {
		dir := filepath.Join(p.folder, "db")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the store's folder: %w", err)
		}
		return pebble.Open(pebble.Config{Dir: dir, Clock: time.Now})
	}
	u, err := url.Parse(p.address)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", p.address, err)
	}
	name := strings.Trim(u.Path, "/")
	if name == "" {
		name = "carerecord"
	}
	return mongo.Open(ctx, mongo.Config{URI: p.address, Database: name, Clock: time.Now, NoticeStandIn: true})
}
