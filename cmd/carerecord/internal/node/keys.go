package node

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	signing "carerecord/interop/smart/keys"
)

// The files of the keys folder, beside those of the signing keys.
const (
	pageKey   = "page.key"
	auditKey  = "audit.key"
	digestKey = "digest.key"
)

// withoutKeys tells what is lost with the keys of a store.
const withoutKeys = "With new keys, page links and the sealed queries of the audit trail cannot be read any more, and tokens and client secrets are not known"

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
	var missing []string
	for _, one := range []struct {
		name string
		into *[]byte
	}{{pageKey, &k.page}, {auditKey, &k.audit}, {digestKey, &k.digest}} {
		file := filepath.Join(dir, one.name)
		b, err := os.ReadFile(file)
		if os.IsNotExist(err) && create {
			b, err = createKey(dir, file)
		}
		switch {
		case os.IsNotExist(err):
			missing = append(missing, one.name)
			continue
		case err != nil:
			return keys{}, fmt.Errorf("read key: %w", err)
		case len(b) != 32:
			return keys{}, fmt.Errorf("key %s has %d bytes, not 32", file, len(b))
		}
		*one.into = b
	}
	if missing != nil {
		return keys{}, fmt.Errorf("if this store was served before, or restored from a backup, copy its keys back to %s. %s.\nMissing: %s. For a new store make them with:\n%s",
			dir, withoutKeys, strings.Join(missing, ", "), makeKeys(dir, missing))
	}
	return k, nil
}

// makeKeys returns the command that makes missing keys, and the signing key of a folder that has none. It changes no key that exists, also
// if it runs once more: the shell refuses to replace a file.
func makeKeys(dir string, missing []string) string {
	quoted := "'" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	command := "umask 077; set -C; mkdir -p " + quoted + "; cd " + quoted + " && for key in " + strings.Join(missing, " ") + "; do head -c 32 /dev/urandom >$key || exit; done"
	if found, err := filepath.Glob(filepath.Join(dir, "signing*.pem")); err == nil && len(found) == 0 {
		command += " && openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 >signing.pem"
	}
	return "  (" + command + ")"
}

func createKey(dir, file string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := make([]byte, 32)
	rand.Read(b)
	return b, os.WriteFile(file, b, 0o600)
}
