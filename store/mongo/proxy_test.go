package mongo

import (
	"bytes"
	wire "encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// proxy stands between the driver and a server and loses what it is told to.
type proxy struct {
	listener net.Listener
	server   string
	wg       sync.WaitGroup

	mu       sync.Mutex
	conns    []net.Conn
	command  []byte // name of the commands that get lost
	lose     int    // how many of them
	forward  bool   // whether the server gets them, so that only the answer is lost
	lostSeen int
}

// newProxy returns a proxy to the server at uri, and the address to use.
func newProxy(t *testing.T, uri string) (*proxy, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, server: options.Client().ApplyURI(uri).Hosts[0]}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p, fmt.Sprintf("mongodb://%s/?directConnection=true", listener.Addr())
}

// loseNext makes the proxy break the connection at the next n commands of a
// name: before the server gets them, or before its answer comes back.
func (p *proxy) loseNext(command string, n int, answersOnly bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.command, p.lose, p.forward, p.lostSeen = []byte("\x02"+command+"\x00"), n, answersOnly, 0
	if command == "commitTransaction" {
		p.command[0] = 0x10 // int32
	}
}

func (p *proxy) lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lostSeen
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.wg.Go(func() { p.serve(client, server) })
	}
}

// serve carries commands one at a time, as the driver sends them; answers that
// nobody asked for (streamed hellos) go through as they come.
func (p *proxy) serve(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	var mute sync.Mutex
	muted := false
	p.wg.Go(func() {
		defer client.Close()
		for {
			m, err := message(server)
			if err != nil {
				return
			}
			mute.Lock()
			drop := muted
			mute.Unlock()
			if drop {
				return // the server has done its part
			}
			if _, err := client.Write(m); err != nil {
				return
			}
		}
	})
	for {
		m, err := message(client)
		if err != nil {
			return
		}
		lose, forward := p.loses(m)
		if lose && !forward {
			return
		}
		if lose {
			mute.Lock()
			muted = true
			mute.Unlock()
		}
		if _, err := server.Write(m); err != nil {
			return
		}
	}
}

func (p *proxy) loses(m []byte) (lose, forward bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lose == 0 || !bytes.Contains(m, p.command) {
		return false, false
	}
	p.lose--
	p.lostSeen++
	return true, p.forward
}

// message reads one message of MongoDB's wire protocol.
func message(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	m := make([]byte, wire.LittleEndian.Uint32(head))
	copy(m, head)
	_, err := io.ReadFull(r, m[4:])
	return m, err
}
