package node

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSFiles are the files, in PEM, of a certificate with its chain and of its private key. The zero TLSFiles are none: another program
// ends TLS.
type TLSFiles struct{ Cert, Key string }

// certificateLook is how often a server looks whether the files of its certificate were replaced.
const certificateLook = 5 * time.Second

// certificate is the certificate of a server, which is read again when its files change, so that a renewed one needs no restart. It is
// safe for concurrent use.
type certificate struct {
	files TLSFiles
	clock func() time.Time
	log   *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	of     [2]time.Time // when the files of loaded were changed
	looked time.Time    // when the times of the files were read
}

// serverTLS returns the settings of a listener: TLS 1.2 and newer (SMART-005). It fails if the files cannot be read or do not belong
// together.
func serverTLS(files TLSFiles, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{files: files, clock: time.Now, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// load reads the files.
func (c *certificate) load() error {
	of, err := c.changed()
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	loaded, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return fmt.Errorf("certificate of %s and %s: %w", c.files.Cert, c.files.Key, err)
	}
	c.loaded, c.of, c.looked = &loaded, of, c.clock()
	return nil
}

// changed returns when the files were changed.
func (c *certificate) changed() (of [2]time.Time, err error) {
	for i, file := range [...]string{c.files.Cert, c.files.Key} {
		info, err := os.Stat(file)
		if err != nil {
			return of, err
		}
		of[i] = info.ModTime()
	}
	return of, nil
}

// get returns the certificate for a connection. Files that cannot be read, or are replaced just now, leave it as it is.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock().Sub(c.looked) < certificateLook {
		return c.loaded, nil
	}
	c.looked = c.clock()
	of, err := c.changed()
	if err == nil && of != c.of {
		if err = c.load(); err == nil {
			c.log.Info("the certificate was replaced", "expires", c.loaded.Leaf.NotAfter)
		}
	}
	if err != nil {
		c.log.Error("the new certificate cannot be used: the one before stays", "err", err)
	}
	return c.loaded, nil
}
