package node

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	signing "carerecord/interop/smart/keys"
)

// keys are the server's secrets. They are files of a folder, and never in the store (SMART-387).
type keys struct {
	page  []byte // seals page tokens
	audit []byte // seals query strings in the audit trail
	// digest is the key of the digests under which tokens and client secrets are stored (SMART-490). Without it every token is
	// unknown.
	digest  []byte
	signing *signing.Keys   // nil under --auth off
	sample  *rsa.PrivateKey // of the sample issuers of a demonstration
}

// loadKeys reads the keys folder. It creates missing keys if create is set.
func loadKeys(dir string, create bool) (keys, error) {
	var k keys
	var missing []error
	for _, one := range []struct {
		name string
		into *[]byte
	}{{"page.key", &k.page}, {"audit.key", &k.audit}, {"digest.key", &k.digest}} {
		file := filepath.Join(dir, one.name)
		b, err := os.ReadFile(file)
		if os.IsNotExist(err) && create {
			b, err = createKey(dir, file)
		}
		switch {
		case os.IsNotExist(err):
			missing = append(missing, fmt.Errorf("the key %s is missing. For a new store make 32 random bytes: head -c 32 /dev/urandom > %[1]s", file))
		case err != nil:
			return keys{}, fmt.Errorf("read key: %w", err)
		case len(b) != 32:
			return keys{}, fmt.Errorf("key %s has %d bytes, not 32", file, len(b))
		}
		*one.into = b
	}
	if missing != nil {
		return keys{}, fmt.Errorf("if this store was served before, or restored from a backup, copy its keys back to %s: with new keys, page links and the sealed queries of the audit trail cannot be read any more, and tokens and client secrets are not known.\n%w",
			dir, errors.Join(missing...))
	}
	return k, nil
}

func createKey(dir, file string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := make([]byte, 32)
	rand.Read(b)
	return b, os.WriteFile(file, b, 0o600)
}
