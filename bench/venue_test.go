//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"callboard/internal/sigv4"
)

// venue is a media server, a process of its own, for one conference.
type venue struct {
	pid  int
	whip func(publisher int) (url, token string)
	whep func(publisher, viewer int) (url, token string)
	join func(v *viewer, publisher, n int) error // in place of WHEP, if not nil
}

// watch has the n-th viewer join.
func (v *venue) watch(w *viewer, publisher, n int) error {
	if v.join != nil {
		return v.join(w, publisher, n)
	}
	return w.watch(v.whep(publisher, n))
}

// host starts a venue, which ends with the benchmark. There will be so many publishers, and viewers of each.
type host func(b *testing.B, publishers, viewers int) *venue

// run starts a server's process and waits until it listens.
func run(b *testing.B, address string, cmd *exec.Cmd) (pid int) {
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	must(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		if b.Failed() {
			b.Logf("%s", &log)
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return cmd.Process.Pid
		}
		if time.Now().After(deadline) {
			b.Fatalf("%v\n%s", err, &log)
		}
	}
}

func freeAddress(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	defer l.Close()
	return l.Addr().String()
}

// built is the program that is measured: this version, or the one that CALLBOARD_BENCH_BINARY names.
var built = sync.OnceValues(func() (string, error) {
	if binary := os.Getenv("CALLBOARD_BENCH_BINARY"); binary != "" {
		return binary, nil
	}
	dir, err := os.MkdirTemp("", "callboard-bench") // for the life of the process, and the system's to remove
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "callboard")
	cmd := exec.Command("go", "build", "-o", binary, "../cmd/callboard")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
})

var mediaKey = sigv4.Key{AccessKeyID: "AKIABENCHMARK0000000", Secret: "a-secret-of-the-bench"}

// callboard is the whole server, with its data on disk. Each publisher has a stage, everybody a token.
func callboard(b *testing.B, publishers, viewers int) *venue {
	binary, err := built()
	must(b, err)
	address := freeAddress(b)
	cmd := exec.Command(binary, "serve", "--data="+b.TempDir(), "--listen="+address, "--media=127.0.0.1:0", "--log-level=warn", "--access-key-id="+mediaKey.AccessKeyID)
	cmd.Env = append(os.Environ(), "CALLBOARD_SECRET_ACCESS_KEY="+mediaKey.Secret)
	a := controls{url: "http://" + address}
	v := &venue{pid: run(b, address, cmd)}
	must(b, awaitReady(b.Context(), address))
	var hosts []ticket
	guests := make([][]ticket, publishers)
	for p := range publishers {
		stage := a.stage(b)
		hosts = append(hosts, a.ticket(b, stage))
		for range viewers {
			guests[p] = append(guests[p], a.ticket(b, stage))
		}
	}
	v.whip = func(p int) (url, token string) { return a.url + "/whip", hosts[p].Token }
	v.whep = func(p, n int) (url, token string) {
		return a.url + "/whip/subscribe/" + hosts[p].ParticipantID, guests[p][n].Token
	}
	return v
}

// controls calls the control plane.
type controls struct{ url string }

// ticket is a participant token.
type ticket struct{ Token, ParticipantID string }

func (c controls) ask(b *testing.B, operation string, in map[string]string, out any) {
	body, err := json.Marshal(in)
	must(b, err)
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, c.url+"/"+operation, bytes.NewReader(body))
	must(b, err)
	r.Header.Set("Content-Type", "application/json")
	sigv4.Sign(r, body, mediaKey, region, "ivs", time.Now())
	resp, err := http.DefaultClient.Do(r)
	must(b, err)
	defer resp.Body.Close()
	must(b, json.NewDecoder(resp.Body).Decode(out))
}

func (c controls) stage(b *testing.B) string {
	var out struct{ Stage struct{ ARN string } }
	c.ask(b, "CreateStage", map[string]string{"name": "bench"}, &out)
	return out.Stage.ARN
}

func (c controls) ticket(b *testing.B, stage string) ticket {
	var out struct{ ParticipantToken ticket }
	c.ask(b, "CreateParticipantToken", map[string]string{"stageArn": stage}, &out)
	return out.ParticipantToken
}
