package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
)

// client is a minimal HTTP/1.1 client: it writes prepared requests and reads
// answers that have a Content-Length, one at a time. Only one goroutine may use it.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(address string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *client) close() { c.conn.Close() }

// do sends a request and reads its answer to the end. An unexpected status
// is an error.
func (c *client) do(r request) error {
	if _, err := c.conn.Write(r.bytes); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	status, length, err := c.readHead()
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if status != r.want {
		text, _ := io.ReadAll(io.LimitReader(c.in, int64(min(length, 500)))) // best effort, for the error
		return fmt.Errorf("answer %d, not %d: %s", status, r.want, text)
	}
	if _, err := c.in.Discard(length); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// readHead reads the status line and the headers.
func (c *client) readHead() (status, length int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 {
		return 0, 0, fmt.Errorf("status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, err
	}
	length = -1
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(": ")); string(name) == "Content-Length" {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, 0, err
			}
		}
	}
	if length < 0 {
		return 0, 0, fmt.Errorf("an answer of status %d has no Content-Length", status)
	}
	return status, length, nil
}
