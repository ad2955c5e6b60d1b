package mongotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// process is a server on this machine, in a temporary folder.
type process struct {
	program    string
	real       bool // mongod; else the stand-in
	standalone bool
	dir        string
	port       int // kept over restarts, so that clients find the server again

	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
	log  string        // path of the server's output
	// guard kills the server if the test binary ends without stopping it.
	guard *exec.Cmd
}

func newProcess(standalone bool) (*process, error) {
	p := &process{standalone: standalone}
	var err error
	if p.program, err = exec.LookPath("mongod"); err == nil {
		p.real = true
	} else if p.program, err = standIn(); err != nil {
		return nil, fmt.Errorf("$MONGODB_URI is not set, no mongod is on the PATH, and the stand-in cannot be fetched: %w", err)
	}
	if p.dir, err = os.MkdirTemp("", "mongotest"); err != nil {
		return nil, err
	}
	p.log = filepath.Join(p.dir, "output")
	if err := os.Mkdir(filepath.Join(p.dir, "data"), 0o700); err != nil {
		return nil, err
	}
	p.port, err = FreePort()
	return p, err
}

// standIn returns the path of the stand-in, and fetches it if needed.
func standIn() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		script := filepath.Join(dir, "scripts", "mongo-standin.sh")
		if _, err := os.Stat(script); err == nil {
			out, err := exec.Command("sh", script).Output()
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				return "", fmt.Errorf("scripts/mongo-standin.sh: %s", strings.TrimSpace(string(exit.Stderr)))
			}
			return strings.TrimSpace(string(out)), err
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("scripts/mongo-standin.sh is in no folder above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// FreePort returns an unused TCP port of this machine. It lies below the ports that systems give
// to clients (32768 and above), or a connection of some client could take it before the server
// listens, or while the server restarts.
func FreePort() (int, error) {
	const first, last, attempts = 10_000, 29_999, 100
	var err error
	for range attempts {
		port := first + rand.IntN(last-first+1)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

func (p *process) args() []string {
	data, port := filepath.Join(p.dir, "data"), strconv.Itoa(p.port)
	if p.real {
		args := []string{"--dbpath", data, "--port", port, "--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "0.5"}
		if !p.standalone {
			args = append(args, "--replSet", "tests")
		}
		return args
	}
	args := []string{"--storage-path", data, "--port", port, "--cache-size", "1G", "--log-file-max", "64MB", "--sync-on-commit"}
	if p.standalone {
		args = append(args, "--standalone")
	}
	return args
}

func (p *process) uri() string {
	if p.standalone {
		return fmt.Sprintf("mongodb://127.0.0.1:%d/?directConnection=true", p.port)
	}
	if p.real {
		return fmt.Sprintf("mongodb://127.0.0.1:%d/?replicaSet=tests", p.port)
	}
	return fmt.Sprintf("mongodb://127.0.0.1:%d/?replicaSet=secantus", p.port)
}

// start runs the program and returns when it takes writes.
func (p *process) start() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd = exec.Command(p.program, p.args()...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(p.program), err)
	}
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) { // ends with the process, which kill ends
		_ = cmd.Wait()
		close(done)
	}(p.cmd, p.done)
	if err := p.watch(); err != nil {
		p.kill()
		return err
	}
	if err := p.ready(); err != nil {
		p.kill()
		return fmt.Errorf("%s did not become ready: %w\n%s", filepath.Base(p.program), err, p.output())
	}
	return nil
}

// watch starts the guard: a shell that waits for its input to end, which it
// does when this test binary has ended.
func (p *process) watch() error {
	p.guard = exec.Command("sh", "-c", `cat >/dev/null; kill -9 "$0" 2>/dev/null; rm -rf "$1"`, strconv.Itoa(p.cmd.Process.Pid), p.dir)
	// The pipe is closed by Wait in kill, or by the end of this process.
	if _, err := p.guard.StdinPipe(); err != nil {
		return err
	}
	return p.guard.Start()
}

// ready waits until the server takes writes; a fresh mongod is made a replica
// set on the way.
func (p *process) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(fmt.Sprintf("mongodb://127.0.0.1:%d/?directConnection=true", p.port)))
	if err != nil {
		return err
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	admin := client.Database("admin")
	for {
		var hello struct {
			Primary bool   `bson:"isWritablePrimary"`
			Master  bool   `bson:"ismaster"`
			Set     string `bson:"setName"`
		}
		err := admin.RunCommand(ctx, bson.D{{Key: "isMaster", Value: 1}}).Decode(&hello)
		switch {
		case err == nil && (hello.Primary || hello.Master):
			return nil
		case err == nil && p.real && !p.standalone && hello.Set == "":
			host := fmt.Sprintf("127.0.0.1:%d", p.port)
			_ = admin.RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: bson.D{
				{Key: "_id", Value: "tests"},
				{Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: host}}}},
			}}}).Err() // again in the next round if it was too early
		}
		select {
		case <-p.done:
			return errors.New("it ended")
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *process) running() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the program with kill -9 and waits for its end.
func (p *process) kill() {
	if p.guard != nil && p.guard.Process != nil {
		_ = p.guard.Process.Kill()
		_ = p.guard.Wait()
		p.guard = nil
	}
	if p.running() {
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (p *process) remove() { _ = os.RemoveAll(p.dir) }

// output returns the last lines that the server printed.
func (p *process) output() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}
