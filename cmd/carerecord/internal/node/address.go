package node

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/pebble"
)

// Address is the location of a store.
type Address struct {
	text   string // as --store names it
	folder string // of a Pebble store, with the socket and by default keys and policy; "" for MongoDB
}

// ParseAddress reads the value of --store.
func ParseAddress(text string) (Address, error) {
	if dir, ok := strings.CutPrefix(text, "pebble:"); ok && dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return Address{}, fmt.Errorf("store %s: %w", text, err)
		}
		return Address{text: text, folder: abs}, nil
	}
	if strings.HasPrefix(text, "mongodb://") || strings.HasPrefix(text, "mongodb+srv://") {
		return Address{text: text}, nil
	}
	return Address{}, fmt.Errorf("--store must be pebble:DIR or mongodb://HOST/DATABASE, not %q", text)
}

// String returns the address without its password.
func (a Address) String() string {
	at := strings.LastIndexByte(a.text, '@')
	scheme, _, found := strings.Cut(a.text, "://")
	if at < 0 || !found {
		return a.text
	}
	return scheme + "://…" + a.text[at:]
}

// errLocked reports that another process has a Pebble store open.
var errLocked = errors.New("another process holds this store: a carerecord server may run on it")

// open opens the engine. A Pebble store is created if it does not exist.
func (a Address) open(ctx context.Context) (store.Engine, error) {
	if a.folder != "" {
		dir := filepath.Join(a.folder, "db")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the store's folder: %w", err)
		}
		db, err := pebble.Open(pebble.Config{Dir: dir, Clock: time.Now})
		if errors.Is(err, syscall.EAGAIN) {
			return nil, fmt.Errorf("%w (%s)", errLocked, dir)
		}
		if err != nil {
			return nil, err
		}
		return db, nil
	}
	u, err := url.Parse(a.text)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", a, err)
	}
	name := strings.Trim(u.Path, "/")
	if name == "" {
		name = "carerecord"
	}
	return mongo.Open(ctx, mongo.Config{URI: a.text, Database: name, Clock: time.Now, NoticeStandIn: true})
}
