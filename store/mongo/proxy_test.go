package mongo

import (
	"bytes"
	wire "encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
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
	step     *step // the one command that fails; nil for none
}

// step is the n-th command from when it was armed, which fails.
type step struct {
	n          int
	carriedOut bool // the server gets it all the same
	refused    bool // it is answered as by a server that is primary no more; else the connection breaks
	seen       int
}

// newProxy returns a proxy to the server at uri, and the address to use.
func newProxy(t testing.TB, uri string) (*proxy, string) {
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
	var instead []byte // to be answered, once
	p.wg.Go(func() {
		defer client.Close()
		for {
			m, err := message(server)
			if err != nil {
				return
			}
			mute.Lock()
			drop := muted
			if instead != nil {
				m, instead = instead, nil
			}
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
		if s := p.fails(m); s != nil && s.refused {
			mute.Lock()
			instead = refusal(m, s.carriedOut)
			answer := instead
			if !s.carriedOut {
				instead = nil
			}
			mute.Unlock()
			if !s.carriedOut {
				if _, err := client.Write(answer); err != nil {
					return
				}
				continue
			}
		} else if s != nil {
			if !s.carriedOut {
				return
			}
			mute.Lock()
			muted = true
			mute.Unlock()
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

// arm makes the n-th command from now on fail.
func (p *proxy) arm(s step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = &s
}

// disarm makes no further command fail, and reports whether one did.
func (p *proxy) disarm() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.step
	p.step = nil
	return s != nil && s.seen >= s.n
}

// fails returns the step if a command is to fail.
func (p *proxy) fails(m []byte) *step {
	c, _ := command(m)
	if c == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.step == nil {
		return nil
	}
	if p.step.seen++; p.step.seen != p.step.n {
		return nil
	}
	return p.step
}

const opMsg = 2013

// command returns a command and its name; nil for what the driver asks on its own.
func command(m []byte) (bson.Raw, string) {
	if len(m) < 26 || wire.LittleEndian.Uint32(m[12:]) != opMsg {
		return nil, ""
	}
	c := bson.Raw(m[21:])
	first, err := c.IndexErr(0)
	if err != nil {
		return nil, ""
	}
	switch name := first.Key(); name {
	case "hello", "isMaster", "ismaster", "ping", "buildInfo", "endSessions":
		return nil, ""
	default:
		return c, name
	}
}

// refusal is what a server answers that is primary no more, or stepped down while it
// carried a command out.
func refusal(m []byte, carriedOut bool) []byte {
	c, name := command(m)
	code, text := int32(10107), "NotWritablePrimary"
	if carriedOut {
		code, text = 11602, "InterruptedDueToReplStateChange"
	}
	labels := bson.A{}
	_, err := c.LookupErr("autocommit")
	switch {
	case name == "commitTransaction" || name == "abortTransaction":
		labels = bson.A{"RetryableWriteError"}
	case err == nil:
		labels = bson.A{transientLabel}
	default:
		if _, err := c.LookupErr("txnNumber"); err == nil {
			labels = bson.A{"RetryableWriteError"}
		}
	}
	body, err := bson.Marshal(bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: text}, {Key: "code", Value: code}, {Key: "codeName", Value: text}, {Key: "errorLabels", Value: labels}})
	if err != nil {
		panic(err) // constants
	}
	out := wire.LittleEndian.AppendUint32(nil, uint32(21+len(body)))
	out = wire.LittleEndian.AppendUint32(out, 0)
	out = append(out, m[4:8]...) // in answer to
	out = wire.LittleEndian.AppendUint32(out, opMsg)
	return append(append(out, 0, 0, 0, 0, 0), body...)
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
