package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// healthCmd asks a server how it is: an image without a shell has nothing else
// to ask with.
type healthCmd struct {
	To    string `help:"Address of the server, as http://127.0.0.1:8080." required:""`
	Ready bool   `help:"Ask /readyz, whether it can serve, instead of /healthz."`
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
