package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
)

// operatorHeader is the header that contains the name of the user who runs a command.
const operatorHeader = "Carerecord-Operator"

// operatorName returns the name of the user who runs this process; with sudo, of the user who runs sudo.
func operatorName() string {
	if person := os.Getenv("SUDO_USER"); person != "" {
		return person
	}
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}

// client sends operations to the server that holds a store.
type client struct{ http *http.Client }

// dial connects to the server on this machine that holds the store; nil if there is none.
func dial(cfg Config) *client {
	file := cfg.socketFile()
	conn, err := net.Dial("unix", file)
	if err != nil {
		return nil
	}
	conn.Close()
	return &client{&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", file)
	}}}}
}

// send sends one operation and returns the body of a 200. Every other status is an error with
// the body as its text.
func (c *client) send(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := c.stream(ctx, method, path, body, &out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// stream sends one operation and copies the body of a 200 to out. Every other status is an error with the body as
// its text.
func (c *client) stream(ctx context.Context, method, path string, body []byte, out io.Writer) error {
	q, err := http.NewRequestWithContext(ctx, method, "http://carerecord"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set(operatorHeader, operatorName())
	resp, err := c.http.Do(q)
	if err != nil {
		return fmt.Errorf("send to the running server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var text bytes.Buffer
		if _, err := io.Copy(&text, resp.Body); err != nil {
			return fmt.Errorf("read from the running server: %w", err)
		}
		return fmt.Errorf("%s", bytes.TrimSpace(text.Bytes()))
	}
	if _, err := io.Copy(out, resp.Body); err != nil {
		return fmt.Errorf("read from the running server: %w", err)
	}
	return nil
}

// sendJSON sends one operation without a body and decodes the answer.
func (c *client) sendJSON(ctx context.Context, method, path string, into any) error {
	out, err := c.send(ctx, method, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return nil
}
