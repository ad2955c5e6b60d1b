package fault

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// fault is what a proxy does to a server.
type fault int

const (
	none     fault = iota
	cut            // connections break, and none are to be had
	hangs          // nothing is answered, in neither direction
	late           // every command takes longer than a request may
	steps          // every command is refused as by a server that is primary no more
	flickers       // every third command breaks its connection, half of them when the server has done its part
)

// proxy stands between the driver and a server.
type proxy struct {
	listener net.Listener
	server   string
	group    sync.WaitGroup

	mu     sync.Mutex
	fault  fault
	ended  chan struct{} // closed when the fault changes
	conns  []net.Conn
	n      int // commands seen
	broken int // connections that flickers broke
}

// newProxy returns a proxy to the server at uri and the address to use.
func newProxy(t *testing.T, uri string) (*proxy, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, server: options.Client().ApplyURI(uri).Hosts[0], ended: make(chan struct{})}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.set(cut)
		p.group.Wait()
	})
	return p, "mongodb://" + listener.Addr().String() + "/?directConnection=true"
}

// set changes what is done to the server from now on.
func (p *proxy) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
	close(p.ended)
	p.ended = make(chan struct{})
	if f == cut {
		for _, c := range p.conns {
			c.Close()
		}
		p.conns = nil
	}
}

func (p *proxy) now() (f fault, n int, ended <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	return p.fault, p.n, p.ended
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		p.mu.Lock()
		refuse := err != nil || p.fault == cut
		if !refuse {
			p.conns = append(p.conns, client, server)
		}
		p.mu.Unlock()
		if refuse {
			client.Close()
			if err == nil {
				server.Close()
			}
			continue
		}
		p.group.Go(func() { p.up(client, server) })
		p.group.Go(func() { p.down(client, server) })
	}
}

// up carries what the driver sends.
func (p *proxy) up(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	for {
		m, err := message(client)
		if err != nil {
			return
		}
		f, n, ended := p.now()
		switch {
		case f == hangs:
			<-ended
		case f == late:
			select {
			case <-time.After(deadline + time.Second):
			case <-ended:
			}
		case f == steps && !hello(m):
			if _, err := client.Write(notPrimary(m)); err != nil {
				return
			}
			continue
		case f == flickers && n%3 == 0:
			if n%2 == 0 {
				server.Write(m)
				message(server) // it has done its part, and nobody hears of it
			}
			p.mu.Lock()
			p.broken++
			p.mu.Unlock()
			return
		}
		if _, err := server.Write(m); err != nil {
			return
		}
	}
}

// broke returns how many connections flickers broke.
func (p *proxy) broke() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

// down carries what the server answers.
func (p *proxy) down(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	for {
		m, err := message(server)
		if err != nil {
			return
		}
		p.mu.Lock()
		f, ended := p.fault, p.ended
		p.mu.Unlock()
		if f == hangs {
			<-ended
		}
		if _, err := client.Write(m); err != nil {
			return
		}
	}
}

// message reads one message of MongoDB's wire protocol.
func message(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(head)
	if length < 16 || length > 64<<20 { // another goroutine reads from the same connection, which is to break
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	m := make([]byte, length)
	copy(m, head)
	_, err := io.ReadFull(r, m[4:])
	return m, err
}

const opMsg = 2013

// hello reports whether a message asks a server who it is.
func hello(m []byte) bool {
	if binary.LittleEndian.Uint32(m[12:]) != opMsg || len(m) < 26 {
		return true
	}
	first, err := bson.Raw(m[21:]).IndexErr(0)
	return err != nil || first.Key() == "hello" || first.Key() == "isMaster" || first.Key() == "ismaster"
}

// notPrimary is what a server answers that is primary no more.
func notPrimary(m []byte) []byte {
	body, err := bson.Marshal(bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: "not primary"}, {Key: "code", Value: int32(10107)}, {Key: "codeName", Value: "NotWritablePrimary"}})
	if err != nil {
		panic(err) // four constants
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(21+len(body)))
	out = binary.LittleEndian.AppendUint32(out, 0)
	out = append(out, m[4:8]...) // in answer to
	out = binary.LittleEndian.AppendUint32(out, opMsg)
	return append(append(out, 0, 0, 0, 0, 0), body...)
}
