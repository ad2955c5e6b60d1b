package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"carerecord/cmd/carerecord/internal/node"
)

// healthCmd checks a server. It is the health check of an image that has no shell.
type healthCmd struct {
	To    string `help:"Address of the server, such as https://record.example, or HOST:PORT, which is asked with TLS and then without." required:""`
	Ready bool   `help:"Check /readyz, whether the server can answer requests, instead of /healthz."`
}

// Run fails unless the answer is 200.
func (c *healthCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	if strings.Contains(c.To, "://") {
		return ask(ctx, c.To+path)
	}
	secured := ask(ctx, "https://"+c.To+path)
	if secured == nil {
		return nil
	}
	if err := ask(ctx, "http://"+c.To+path); err != nil {
		return errors.Join(secured, err)
	}
	return nil
}

// ask fails unless the answer of a URL is 200.
func ask(ctx context.Context, url string) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{}
	if node.Loopback(q.URL.Host) { // whose certificate names the site; the question has no secret, and the answer is one word
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	}
	resp, err := client.Do(q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
