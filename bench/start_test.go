package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// idle is how long a server is left alone before its memory is looked at.
const idle = 10 * time.Second

// BenchmarkStart measures a start as whoever waits for a container sees it: from
// the exec of the program to the first /readyz that says 200, asked over and over.
// Of as many starts as b.N says it reports the middle one and the slowest; 20 make
// a figure:
//
//	go test -run '^$' -bench Start -benchtime 20x ./bench
//
// rss-MB is what the last of them occupies after 10 idle seconds (Linux only).
func BenchmarkStart(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "callboard")
	build := exec.Command("go", "build", "-o", binary, "../cmd/callboard")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	seed := filepath.Join(b.TempDir(), "seed.yaml")
	must(b, os.WriteFile(seed, []byte(hundredStages()), 0o600))
	for _, c := range []struct {
		name string
		args []string
		disk bool
	}{
		{"memory", []string{"--data=memory:"}, false},
		{"disk", nil, true},
		{"memory, 100 stages", []string{"--data=memory:", "--seed=" + seed}, false},
		{"disk, 100 stages", []string{"--seed=" + seed}, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			rss := 0.0
			for i := range b.N {
				args := c.args
				if c.disk {
					args = append(slices.Clone(args), "--data="+filepath.Join(b.TempDir(), strconv.Itoa(i)))
				}
				d, mb := start(b, binary, args, b.N > 1 && i == b.N-1) // b.N is 1 in the run before the real one
				took, rss = append(took, d), mb
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
			b.ReportMetric(float64(took[len(took)-1])/1e6, "max-ms")
			if rss > 0 {
				b.ReportMetric(rss, "rss-MB")
			}
		})
	}
}

// hundredStages is a seed with a token for each stage.
func hundredStages() string {
	var s strings.Builder
	s.WriteString("stages:\n")
	for i := range 100 {
		fmt.Fprintf(&s, "- {name: stage-%d, tags: {n: %d}, tokens: [{userId: host}]}\n", i, i)
	}
	return s.String()
}

// start runs a server until it is ready and ends it; linger lets it idle before,
// and gives its resident memory.
func start(b *testing.B, binary string, args []string, linger bool) (took time.Duration, rss float64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	address := l.Addr().String()
	must(b, l.Close())
	var stderr bytes.Buffer
	server := exec.CommandContext(b.Context(), binary, append([]string{"serve", "--listen=" + address, "--media=127.0.0.1:0", "--log-level=warn"}, args...)...)
	server.Stderr = &stderr
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	began := time.Now()
	must(b, server.Start())
	if err := awaitReady(b.Context(), address); err != nil {
		b.Fatalf("%v\n%s", err, &stderr)
	}
	took = time.Since(began)
	if linger {
		time.Sleep(idle)
		rss = residentMB(server.Process.Pid)
	}
	must(b, server.Process.Signal(os.Interrupt))
	if err := server.Wait(); err != nil {
		b.Fatalf("%v\n%s", err, &stderr)
	}
	return took, rss
}

// awaitReady asks until a server is ready.
func awaitReady(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(r); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(time.Millisecond / 2)
	}
	return ctx.Err()
}

// residentMB reads VmRSS; 0 where there is none.
func residentMB(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kb, err := strconv.ParseFloat(fields[1], 64)
			if err == nil {
				return kb / 1024
			}
		}
	}
	return 0
}
