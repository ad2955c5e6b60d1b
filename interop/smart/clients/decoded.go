package clients

import (
	"bytes"
	"sync"

	"carerecord/interop/smart/ledger"
)

// decoded keeps the clients that were read last, each with the bytes that it was read from: it saves
// reading JSON for every request, and can never be older than the store, which is asked each time.
type decoded struct {
	mu   sync.RWMutex
	kept map[string]keptClient
}

type keptClient struct {
	raw    []byte
	client *Client
}

// maxKept is how many clients are kept.
const maxKept = 5000

// client returns the client of some bytes. It must not be changed.
func (d *decoded) client(id string, raw []byte) (*Client, error) {
	d.mu.RLock()
	found, ok := d.kept[id]
	d.mu.RUnlock()
	if ok && bytes.Equal(found.raw, raw) {
		return found.client, nil
	}
	v, err := ledger.Decode[Client](prefix+id, raw)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kept == nil || len(d.kept) >= maxKept {
		d.kept = map[string]keptClient{}
	}
	d.kept[id] = keptClient{raw: bytes.Clone(raw), client: &v.Content}
	return &v.Content, nil
}
