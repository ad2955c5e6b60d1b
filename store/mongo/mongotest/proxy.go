package mongotest

import (
	wire "encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Proxy is a TCP proxy between a driver and a server. It reads whole messages of MongoDB's wire
// protocol, so that a test can break, delay or answer single commands.
type Proxy struct {
	hooks    Hooks
	listener net.Listener
	server   string
	group    sync.WaitGroup

	mu    sync.Mutex
	cut   bool // no connections are accepted
	conns []net.Conn
}

// Hooks decide about messages. They are called concurrently, and may block until the test ends.
// A nil hook lets every message pass.
type Hooks struct {
	Command func(Message) Decision // about a message from the driver
	Answer  func()                 // before a message from the server is sent to the driver
}

// Decision selects how a message from the driver is handled. The zero Decision forwards it.
type Decision struct {
	Withhold bool    // the server does not get it
	Break    bool    // the connection breaks: at once if the message is withheld, else in place of the answer
	Reply    Message // is sent to the driver in place of the server's answer
}

// NewProxy starts a proxy to the server at uri until the test ends, and returns the URI to use.
func NewProxy(tb testing.TB, uri string, hooks Hooks) (*Proxy, string) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{hooks: hooks, listener: listener, server: options.Client().ApplyURI(uri).Hosts[0]}
	p.group.Go(p.accept)
	tb.Cleanup(func() {
		listener.Close()
		p.Cut(true)
		p.group.Wait()
	})
	return p, fmt.Sprintf("mongodb://%s/?directConnection=true", listener.Addr())
}

// Cut breaks all connections and refuses new ones, until Cut(false).
func (p *Proxy) Cut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut = cut; !cut {
		return
	}
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *Proxy) accept() {
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
		cut := p.cut
		if !cut {
			p.conns = append(p.conns, client, server)
		}
		p.mu.Unlock()
		if cut {
			client.Close()
			server.Close()
			continue
		}
		c := &connection{hooks: p.hooks, client: client, server: server}
		p.group.Go(c.forward)
		p.group.Go(c.answer)
	}
}

// connection is one connection of a driver, and that to the server. The driver sends one command
// at a time on it.
type connection struct {
	hooks          Hooks
	client, server net.Conn

	mu   sync.Mutex
	next Decision // about the next message from the server
}

// forward carries messages of the driver to the server.
func (c *connection) forward() {
	defer c.client.Close()
	defer c.server.Close()
	for {
		m, err := readMessage(c.client)
		if err != nil {
			return
		}
		var d Decision
		if c.hooks.Command != nil {
			d = c.hooks.Command(m)
		}
		if d.Withhold {
			if d.Break || d.Reply == nil {
				return
			}
			if _, err := c.client.Write(d.Reply); err != nil {
				return
			}
			continue
		}
		c.mu.Lock()
		c.next = d
		c.mu.Unlock()
		if _, err := c.server.Write(m); err != nil {
			return
		}
	}
}

// answer carries messages of the server to the driver. Some have no command before them
// (streamed hellos).
func (c *connection) answer() {
	defer c.client.Close()
	defer c.server.Close()
	for {
		m, err := readMessage(c.server)
		if err != nil {
			return
		}
		if c.hooks.Answer != nil {
			c.hooks.Answer()
		}
		c.mu.Lock()
		d := c.next
		c.next = Decision{}
		c.mu.Unlock()
		if d.Break {
			return
		}
		if d.Reply != nil {
			m = d.Reply
		}
		if _, err := c.client.Write(m); err != nil {
			return
		}
	}
}

// Message is one message of MongoDB's wire protocol.
type Message []byte

const opMsg = 2013

func readMessage(r io.Reader) (Message, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := wire.LittleEndian.Uint32(head)
	if length < 16 || length > 64<<20 {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	m := make(Message, length)
	copy(m, head)
	_, err := io.ReadFull(r, m[4:])
	return m, err
}

// Command returns the command of a message and its name. It returns nil and "" for the commands
// that a driver sends on its own, such as hello.
func (m Message) Command() (bson.Raw, string) {
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

// NotPrimary returns the answer of a server that is no longer primary; with executed, of one that
// stepped down while it executed the command.
func (m Message) NotPrimary(executed bool) Message {
	c, name := m.Command()
	code, text := int32(10107), "NotWritablePrimary"
	if executed {
		code, text = 11602, "InterruptedDueToReplStateChange"
	}
	labels := bson.A{}
	_, err := c.LookupErr("autocommit")
	switch {
	case name == "commitTransaction" || name == "abortTransaction":
		labels = bson.A{"RetryableWriteError"}
	case err == nil:
		labels = bson.A{"TransientTransactionError"}
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
	out = append(out, m[4:8]...) // in response to
	out = wire.LittleEndian.AppendUint32(out, opMsg)
	return append(append(out, 0, 0, 0, 0, 0), body...)
}
