package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// healthCmd checks a server. It is the health check of an image that has no shell.
type healthCmd struct {
	To    string `help:"Address of the server, such as http://127.0.0.1:8080." required:""`
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
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.To+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", c.To+path, resp.Status)
	}
	return nil
}
