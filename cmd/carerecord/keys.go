package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
)

// keys are the server's secrets. They lie in a folder of their own, never in
// the store (SMART-387).
type keys struct {
	page  []byte // seals page tokens
	audit []byte // seals query strings in the trail
}

// loadKeys reads a keys folder; with make it makes what is missing.
func loadKeys(dir string, makeMissing bool) (keys, error) {
	var k keys
	for _, one := range []struct {
		name string
		into *[]byte
	}{{"page.key", &k.page}, {"audit.key", &k.audit}} {
		file := filepath.Join(dir, one.name)
		b, err := os.ReadFile(file)
		if os.IsNotExist(err) && makeMissing {
			b, err = makeKey(dir, file)
		}
		if err != nil {
			return keys{}, fmt.Errorf("read key (32 random bytes; make one with: head -c 32 /dev/urandom > %s): %w", file, err)
		}
		if len(b) != 32 {
			return keys{}, fmt.Errorf("key %s has %d bytes, not 32", file, len(b))
		}
		*one.into = b
	}
	return k, nil
}

func makeKey(dir, file string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := make([]byte, 32)
	rand.Read(b)
	return b, os.WriteFile(file, b, 0o600)
}
