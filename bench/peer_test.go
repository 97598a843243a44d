//go:build linux

package bench

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// peers are other media servers, each as it comes but for what has it use loopback alone, and for its log. CALLBOARD_BENCH_PEERS names those to be measured in the same run, as PEER, found on the PATH, or
// PEER=PROGRAM; or other=PID of a process that runs already, whose addresses are in CALLBOARD_BENCH_WHIP and
// CALLBOARD_BENCH_WHEP, in which {p} stands for the publisher's number, and the token for both in CALLBOARD_BENCH_TOKEN.
func peers(b *testing.B) map[string]host {
	all := map[string]host{}
	for _, field := range strings.Fields(os.Getenv("CALLBOARD_BENCH_PEERS")) {
		name, program, _ := strings.Cut(field, "=")
		program = cmp.Or(program, name)
		switch name {
		case "mediamtx":
			all[name] = mediamtx(program)
		case "broadcast-box":
			all[name] = broadcastBox(program)
		case "livekit":
			all[name] = livekit(program)
		case "other":
			pid, err := strconv.Atoi(program)
			must(b, err)
			all[name] = other(pid)
		default:
			b.Fatalf("CALLBOARD_BENCH_PEERS: nobody knows %q", name)
		}
	}
	return all
}

// mediamtx is MediaMTX with WebRTC alone.
func mediamtx(program string) host {
	return func(b *testing.B, _, _ int) *venue {
		address, dir := freeAddress(b), b.TempDir()
		_, media, err := net.SplitHostPort(freeAddress(b))
		must(b, err)
		file := filepath.Join(dir, "mediamtx.yml")
		must(b, os.WriteFile(file, fmt.Appendf(nil, `
logLevel: warn
rtsp: no
rtmp: no
hls: no
srt: no
moq: no
webrtcAddress: %s
webrtcLocalUDPAddress: 127.0.0.1:%s
webrtcIPsFromInterfaces: no
webrtcAdditionalHosts: [127.0.0.1]
paths: {all_others: }
`, address, media), 0o600))
		v := &venue{pid: run(b, address, exec.Command(program, file))}
		v.whip = func(p int) (url, token string) { return fmt.Sprintf("http://%s/bench%d/whip", address, p), "" }
		v.whep = func(p, _ int) (url, token string) { return fmt.Sprintf("http://%s/bench%d/whep", address, p), "" }
		return v
	}
}

// broadcastBox is Broadcast Box without its pages.
func broadcastBox(program string) host {
	return func(b *testing.B, _, _ int) *venue {
		address := freeAddress(b)
		cmd := exec.Command(program)
		cmd.Dir = b.TempDir()
		cmd.Env = append(os.Environ(), "APP_ENV=production", "HTTP_ADDRESS="+address, "DISABLE_FRONTEND=true", "INCLUDE_LOOPBACK_CANDIDATE=true",
			"INTERFACE_FILTER=lo", "NETWORK_TYPES=udp4", "LOGGING_ENABLED=false", "STREAM_PROFILE_PATH="+cmd.Dir)
		v := &venue{pid: run(b, address, cmd)}
		key := func(p int) string { return fmt.Sprint("bench", p) }
		v.whip = func(p int) (url, token string) { return "http://" + address + "/api/whip", key(p) }
		v.whep = func(p, _ int) (url, token string) { return "http://" + address + "/api/whep", key(p) }
		return v
	}
}

// other is a server that somebody else has started.
func other(pid int) host {
	return func(b *testing.B, _, _ int) *venue {
		address := func(variable string) func(p int) (url, token string) {
			return func(p int) (url, token string) {
				return strings.ReplaceAll(os.Getenv(variable), "{p}", strconv.Itoa(p)), os.Getenv("CALLBOARD_BENCH_TOKEN")
			}
		}
		whep := address("CALLBOARD_BENCH_WHEP")
		return &venue{pid: pid, whip: address("CALLBOARD_BENCH_WHIP"), whep: func(p, _ int) (url, token string) { return whep(p) }}
	}
}
