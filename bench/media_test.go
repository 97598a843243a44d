package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callboard/internal/sigv4"
)

const (
	window  = 6 * time.Second       // for which media are measured
	settles = 2 * time.Second       // after the last join
	joining = 20 * time.Millisecond // between two joins
)

var mediaKey = sigv4.Key{AccessKeyID: "AKIABENCHMARK0000000", Secret: "a-secret-of-the-bench"}

// BenchmarkMedia measures what forwarding costs the whole server, which runs as a process of its own. Each publisher
// sends 1.5 Mbit/s of H.264 in frames of six packets, and Opus; each subscription is a WebRTC connection over
// loopback that counts what arrives and throws it away. One iteration is one such conference:
//
//	go test -run '^$' -bench Media -benchtime 1x ./bench
//
// us-cpu/packet is the server's processor time by the RTP packets that arrived; p50-ms and p99-ms are from before the
// publisher's write to the subscriber's read; loss-% is what did not arrive of what should have; join-ms from the offer to the
// first packet, join-cpu-ms and KB/subscriber what a join and a subscription cost the server (Linux only).
func BenchmarkMedia(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "callboard")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/callboard").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, c := range []struct{ publishers, subscribers int }{{1, 10}, {1, 100}, {1, 400}, {10, 10}} {
		b.Run(fmt.Sprintf("%dx%d", c.publishers, c.subscribers), func(b *testing.B) {
			for b.Loop() {
				confer(b, binary, c.publishers, c.subscribers)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// confer holds one conference and reports on it.
func confer(b *testing.B, binary string, publishers, subscribers int) {
	s := serve(b, binary)
	var senders []*sender
	for range publishers {
		senders = append(senders, publish(b, s))
	}
	for _, p := range senders {
		<-p.sent
	}
	cpu, rss := s.cpu(), residentMB(s.pid)
	viewers := gather(b, s, senders, subscribers)
	n := float64(len(viewers))
	joins := s.cpu() - cpu
	time.Sleep(settles)
	before, from := s.cpu(), counts(viewers)
	for _, v := range viewers {
		v.measuring.Store(true)
	}
	time.Sleep(window)
	for _, v := range viewers {
		v.measuring.Store(false)
	}
	spent, to := s.cpu()-before, counts(viewers)
	packets := float64(to.arrived - from.arrived)
	b.ReportMetric(spent.Seconds()*1e6/packets, "us-cpu/packet")
	b.ReportMetric(100*(1-packets/float64(to.expected-from.expected)), "loss-%")
	b.ReportMetric(joins.Seconds()*1e3/n, "join-cpu-ms")
	b.ReportMetric((residentMB(s.pid)-rss)*1024/n, "KB/subscriber")
	var waits, lags []time.Duration
	for _, v := range viewers {
		waits, lags = append(waits, v.joined), append(lags, v.lags...)
	}
	b.ReportMetric(milliseconds(waits, 0.5), "join-ms")
	b.ReportMetric(milliseconds(lags, 0.5), "p50-ms")
	b.ReportMetric(milliseconds(lags, 0.99), "p99-ms")
	for _, v := range viewers {
		v.close()
	}
	for _, p := range senders {
		p.close()
	}
	s.close(b)
}

// gather has subscribers join each sender, one after another at a steady pace.
func gather(b *testing.B, s *process, senders []*sender, each int) []*viewer {
	var g sync.WaitGroup
	tokens := make([]string, len(senders)*each)
	for i := range tokens {
		tokens[i], _ = s.token(b, senders[i%len(senders)].stage)
	}
	viewers := make([]*viewer, len(tokens))
	tick := time.NewTicker(joining)
	defer tick.Stop()
	for i := range viewers {
		<-tick.C
		g.Go(func() { viewers[i] = watch(b, s, senders[i%len(senders)], tokens[i]) })
	}
	g.Wait()
	if slices.Contains(viewers, nil) {
		b.Fatal("not everybody could join")
	}
	return viewers
}

func milliseconds(all []time.Duration, share float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return float64(all[min(int(share*float64(len(all))), len(all)-1)].Microseconds()) / 1e3
}

// process is a server.
type process struct {
	url string
	pid int
	cmd *exec.Cmd
	log bytes.Buffer
}

func serve(b *testing.B, binary string) *process {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	address := l.Addr().String()
	must(b, l.Close())
	s := &process{url: "http://" + address}
	s.cmd = exec.CommandContext(b.Context(), binary, "serve", "--data=memory:", "--listen="+address, "--media=127.0.0.1:0",
		"--log-level=warn", "--access-key-id="+mediaKey.AccessKeyID)
	s.cmd.Env = append(os.Environ(), "CALLBOARD_SECRET_ACCESS_KEY="+mediaKey.Secret)
	s.cmd.Stderr = &s.log
	must(b, s.cmd.Start())
	s.pid = s.cmd.Process.Pid
	if err := awaitReady(b.Context(), address); err != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		b.Fatalf("%v\n%s", err, &s.log)
	}
	return s
}

func (s *process) close(b *testing.B) {
	must(b, s.cmd.Process.Signal(os.Interrupt))
	if err := s.cmd.Wait(); err != nil {
		b.Fatalf("%v\n%s", err, &s.log)
	}
}

// cpu is the processor time that the server has used; 0 where that cannot be told.
func (s *process) cpu() time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// ask calls an operation of the API and reads its answer into out.
func (s *process) ask(b *testing.B, operation string, in map[string]string, out any) {
	body, err := json.Marshal(in)
	must(b, err)
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.url+"/"+operation, bytes.NewReader(body))
	must(b, err)
	r.Header.Set("Content-Type", "application/json")
	sigv4.Sign(r, body, mediaKey, region, "ivs", time.Now())
	resp, err := http.DefaultClient.Do(r)
	must(b, err)
	defer resp.Body.Close()
	must(b, json.NewDecoder(resp.Body).Decode(out))
}

func (s *process) stage(b *testing.B) string {
	var out struct{ Stage struct{ ARN string } }
	s.ask(b, "CreateStage", map[string]string{"name": "bench"}, &out)
	return out.Stage.ARN
}

func (s *process) token(b *testing.B, stage string) (token, id string) {
	var out struct {
		ParticipantToken struct{ Token, ParticipantID string }
	}
	s.ask(b, "CreateParticipantToken", map[string]string{"stageArn": stage}, &out)
	return out.ParticipantToken.Token, out.ParticipantToken.ParticipantID
}

// offer sends an offer and returns the answer.
func (s *process) offer(ctx context.Context, path, token, offer string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, strings.NewReader(offer))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/sdp")
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return string(answer), err
}
