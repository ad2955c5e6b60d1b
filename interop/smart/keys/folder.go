package keys

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The files of the keys folder.
const (
	first     = "signing.pem"
	sample    = "sample-sign-in.pem"
	prefix    = "signing-"
	suffix    = ".pem"
	startForm = "20060102T150405Z"
)

// bits is the size of a new RSA key.
const bits = 2048

var errNoKey = errors.New("there is no signing key")

// readFolder reads all signing keys of a folder, by their start; errNoKey for none.
func readFolder(dir string) ([]key, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the keys folder: %w", err)
	}
	var list []key
	for _, file := range files {
		starts, ok, err := startOf(file.Name())
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		private, err := read(filepath.Join(dir, file.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		var made time.Time
		if info, err := file.Info(); err == nil {
			made = info.ModTime()
		}
		one, err := newKey(file.Name(), starts, made, private)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the key %s is missing. Make it with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:%d -out %[1]s: %[3]w", filepath.Join(dir, first), bits, errNoKey)
	}
	return sorted(list), nil
}

// startOf returns when the key of a file begins to sign; false for a file that is no signing key.
func startOf(name string) (time.Time, bool, error) {
	if name == first {
		return time.Time{}, true, nil
	}
	text, ok := strings.CutPrefix(name, prefix)
	text, isPEM := strings.CutSuffix(text, suffix)
	if !ok || !isPEM {
		return time.Time{}, false, nil
	}
	at, err := time.Parse(startForm, text)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("the name of the signing key %s has no instant such as %s: make keys with carerecord keys rotate", name, startForm)
	}
	return at, true, nil
}

func read(file string) (*rsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read a signing key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("the signing key %s is not PEM", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok || private.N.BitLen() < bits {
		return nil, fmt.Errorf("the signing key %s is no RSA key of %d bits in PKCS #8", file, bits)
	}
	return private, nil
}

// generate makes a key and its file, which appears whole: other servers may read the folder. The error is os.ErrExist if there is a
// file of this name, which stays as it is: another server may have made it in the same second.
func generate(dir, name string) (*rsa.PrivateKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the keys folder: %w", err)
	}
	part, err := os.CreateTemp(dir, name+".*.new") // readable by its owner alone
	if err != nil {
		return nil, fmt.Errorf("write a signing key: %w", err)
	}
	defer os.Remove(part.Name())
	err = pem.Encode(part, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, part.Sync(), part.Close()); err == nil {
		err = os.Link(part.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return nil, fmt.Errorf("write a signing key: %w", err)
	}
	return private, nil
}

// Writable returns an error if no key can be made in the folder now.
func (k *Keys) Writable() error {
	f, err := os.CreateTemp(k.dir, "check.*.new")
	if err != nil {
		return fmt.Errorf("write to the keys folder: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Sample returns the key of the sample issuers of a demonstration. It makes the file if it is missing.
func Sample(dir string) (*rsa.PrivateKey, error) {
	private, err := read(filepath.Join(dir, sample))
	if errors.Is(err, os.ErrNotExist) {
		if private, err = generate(dir, sample); errors.Is(err, os.ErrExist) {
			return read(filepath.Join(dir, sample)) // another server made it meanwhile
		}
	}
	return private, err
}
