package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// healthCmd checks a server. It is the health check of an image that has no shell.
type healthCmd struct {
	To      string `help:"Address of the server, such as https://record.example, or HOST:PORT, which is asked with TLS if --tls-cert is given." required:""`
	TLSCert string `name:"tls-cert" help:"File with the certificate of the server, in PEM: it is trusted, and its first name is the one that is expected." type:"path"`
	Ready   bool   `help:"Check /readyz, whether the server can answer requests, instead of /healthz."`
}

// Run fails unless the answer is 200.
func (c *healthCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	url := c.To + "/healthz"
	if c.Ready {
		url = c.To + "/readyz"
	}
	client := http.Client{}
	if c.TLSCert != "" {
		trusted, err := trustCertificate(c.TLSCert)
		if err != nil {
			return fmt.Errorf("--tls-cert: %w", err)
		}
		client.Transport = &http.Transport{TLSClientConfig: trusted}
	}
	if !strings.Contains(url, "://") {
		scheme := "http"
		if c.TLSCert != "" {
			scheme = "https"
		}
		url = scheme + "://" + url
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := fmt.Errorf("%s answers %s", url, resp.Status)
		if text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)); resp.StatusCode == http.StatusBadRequest && bytes.Contains(text, []byte("HTTP request to an HTTPS server")) {
			return fmt.Errorf("%w: the server speaks TLS: name its certificate with --tls-cert", err)
		}
		return err
	}
	return nil
}

// trustCertificate returns settings for a connection to the server whose certificate is the first in a file, under whatever address.
func trustCertificate(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	trusted := &tls.Config{RootCAs: x509.NewCertPool()}
	trusted.RootCAs.AddCert(leaf)
	if len(leaf.DNSNames) > 0 {
		trusted.ServerName = strings.Replace(leaf.DNSNames[0], "*", "any", 1)
	}
	return trusted, nil
}
