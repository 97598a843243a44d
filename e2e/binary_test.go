//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program as it is shipped, on ports and a data directory that
// stay the same from one start to the next.
type binary struct {
	*board
	path string
	dir  string       // or the URL of a database
	more []string     // further settings
	log  bytes.Buffer // of the current run, readable after its end
	run  *exec.Cmd
}

// newBinary builds the program.
func newBinary(t *testing.T) *binary {
	t.Helper()
	dir := t.TempDir()
	p := &binary{path: filepath.Join(dir, "callboard"), dir: filepath.Join(dir, "data")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", p.path, "../cmd/callboard")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the program cannot be built: %v\n%s", err, out)
	}
	p.settle(t)
	return p
}

// settle finds the program a place of its own.
func (p *binary) settle(t *testing.T) {
	address := freeAddress(t)
	p.board = &board{url: "http://" + address, media: address, id: "AKIATESTTESTTESTTEST", secret: "a-secret-of-forty-characters-for-testing"}
	p.Client = p.client(p.id, p.secret, region)
	t.Cleanup(func() { p.kill() })
}

// freeAddress is one that nobody has at the moment, for TCP and UDP alike.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	c, err := net.ListenPacket("udp", l.Addr().String())
	must(t, err)
	defer c.Close()
	return l.Addr().String()
}

// start runs the program until it says that it is ready.
func (p *binary) start(t *testing.T) {
	t.Helper()
	address := p.media
	p.log.Reset()
	settings := []string{"serve", "--listen", address, "--media", address, "--data", p.dir, "--region", region, "--account", account}
	p.run = exec.CommandContext(context.WithoutCancel(t.Context()), p.path, append(settings, p.more...)...)
	p.run.Env = append(os.Environ(), "CALLBOARD_ACCESS_KEY_ID="+p.id, "CALLBOARD_SECRET_ACCESS_KEY="+p.secret)
	p.run.Stdout, p.run.Stderr = &p.log, &p.log
	must(t, p.run.Start())
	eventually(t, patience, func() string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/readyz", nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err.Error()
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return resp.Status
		}
		return ""
	})
}

// end kills the program and gives what it has logged.
func (p *binary) end() string {
	p.kill()
	return p.log.String()
}

// stop ends the program in order, and waits until it is gone.
func (p *binary) stop(t *testing.T) {
	t.Helper()
	must(t, p.run.Process.Signal(os.Interrupt))
	if err := p.run.Wait(); err != nil {
		t.Errorf("the program did not end in order: %v\n%s", err, p.log.String())
	}
	p.run = nil
	http.DefaultClient.CloseIdleConnections()
}

// kill ends the program as kill -9 does, and waits until it is gone.
func (p *binary) kill() {
	if p.run != nil && p.run.Process != nil {
		p.run.Process.Kill()
		p.run.Wait()
		p.run = nil
	}
	http.DefaultClient.CloseIdleConnections()
}
