package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// ErrSeveral: a text has more than one JSON value.
var ErrSeveral = errors.New("there is more than one JSON value")

// Decode reads a registration that somebody wrote. A member that it does not have is an error, and so is anything after it. Where it
// does not say whether the client may have offline access, OfflineByDefault decides.
func Decode(text []byte) (c Client, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Client{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Client{}, ErrSeveral
	}
	var said struct{ Offline *bool }
	if err := json.Unmarshal(text, &said); err != nil {
		return Client{}, err
	}
	if said.Offline == nil {
		c.Offline = OfflineByDefault(&c)
	}
	return c, nil
}
