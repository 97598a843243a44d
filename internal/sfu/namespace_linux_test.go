package sfu

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkNamespaces is BenchmarkNetworks without a model: the engine in one network namespace, viewers in others, and between them queues of the
// kernel (tbf) that let so much through, and a filter (nft) that loses packets. It needs root and iproute2, and nftables for the loss.
//
//	go test -run '^$' -bench Namespaces -benchtime 1x ./internal/sfu
func BenchmarkNamespaces(b *testing.B) {
	requireRoot(b, "ip", "tc", "nft")
	const span = 45 * time.Second
	networks := []struct {
		name  string
		rate  string
		dip   string // from 15 s to 25 s
		loss  int    // percent
		count int    // of subscriptions of one viewer
	}{
		{"5 % loss", "20mbit", "", 5, 1},
		{"300 kbit/s", "300kbit", "", 0, 1},
		{"400 kbit/s and 5 % loss", "400kbit", "", 5, 1},
		{"3 Mbit/s, 300 kbit/s from 15 s to 25 s", "3mbit", "300kbit", 0, 1},
		{"100 kbit/s", "100kbit", "", 0, 1},
		{"2 Mbit/s, four subscriptions", "2mbit", "", 0, 4},
	}
	name := fmt.Sprintf("callboard%d", os.Getpid())
	here := newNamespace(b, name+"e")
	here.run(b, "ip link set lo up")
	var ips []net.IP
	var there []namespace
	for i, n := range networks {
		v := newNamespace(b, fmt.Sprintf("%sv%d", name, i))
		v.run(b, "ip link add eth0 type veth peer name v%d netns %s", i, here)
		v.run(b, "ip addr add 10.77.%d.2/24 dev eth0", i)
		v.run(b, "ip link set eth0 up")
		here.run(b, "ip addr add 10.77.%d.1/24 dev v%d", i, i)
		here.run(b, "ip link set v%d up", i)
		here.run(b, "tc qdisc add dev v%d root tbf rate %s burst 5000 latency 1s", i, n.rate)
		if n.loss > 0 {
			v.run(b, "nft add table ip t")
			v.run(b, "nft add chain ip t in { type filter hook input priority 0 ; }")
			v.run(b, "nft add rule ip t in udp dport 1-65535 numgen random mod 100 < %d drop", n.loss)
		}
		ips, there = append(ips, net.IPv4(10, 77, byte(i), 1)), append(there, v)
	}
	e := openEngine(b, Options{Conn: here.listen(b, "0.0.0.0:0"), IPs: ips})
	pub := broadcast(b, e, func(c *client) { c.moveTo(here.listen(b, "127.0.0.1:0")) })
	all := make([][]*audience, len(networks))
	for i, n := range networks {
		for range n.count {
			client := newViewer(b)
			client.moveTo(there[i].listen(b, fmt.Sprintf("10.77.%d.2:0", i)))
			all[i] = append(all[i], watchWith(b, e, pub, client, SubscribeOptions{Viewer: n.name}))
		}
	}
	for b.Loop() {
		var g sync.WaitGroup
		for i, n := range networks {
			if n.dip != "" {
				g.Go(func() {
					time.Sleep(15 * time.Second)
					here.run(b, "tc qdisc change dev v%d root tbf rate %s burst 5000 latency 1s", i, n.dip)
					time.Sleep(10 * time.Second)
					here.run(b, "tc qdisc change dev v%d root tbf rate %s burst 5000 latency 1s", i, n.rate)
				})
			}
		}
		time.Sleep(span) // what happens meanwhile is the result
		g.Wait()
	}
	for i, n := range networks {
		for _, a := range all[i] {
			b.Logf("%-39s %s", n.name, a.verdict())
		}
	}
}

func requireRoot(t testing.TB, tools ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
}

// namespace is the name of a network namespace.
type namespace string

// newNamespace makes one that is gone after the test.
func newNamespace(t testing.TB, name string) namespace {
	t.Helper()
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	return namespace(name)
}

// run runs a command in it.
func (n namespace) run(t testing.TB, command string, args ...any) {
	t.Helper()
	line := append([]string{"netns", "exec", string(n)}, strings.Fields(fmt.Sprintf(command, args...))...)
	if out, err := exec.Command("ip", line...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", strings.Join(line, " "), err, out)
	}
}

// listen opens a socket in it. A thread that has entered a namespace is not used again.
func (n namespace) listen(t testing.TB, address string) net.PacketConn {
	t.Helper()
	type opened struct {
		conn net.PacketConn
		err  error
	}
	result := make(chan opened)
	go func() {
		runtime.LockOSThread()
		conn, err := n.open(address)
		result <- opened{conn, err}
	}()
	o := <-result
	must(t, o.err)
	return o.conn
}

func (n namespace) open(address string) (net.PacketConn, error) {
	f, err := os.Open("/run/netns/" + string(n))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	return net.ListenPacket("udp4", address)
}

// moveTo gives a client another socket.
func (c *client) moveTo(conn net.PacketConn) {
	old := c.wire.now()
	c.wire.other.Store(&conn)
	_ = old.Close()
}
