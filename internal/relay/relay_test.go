package relay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// media is what a relay leads to. It answers what it is sent with the same, in capital letters.
func media(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte(strings.ToUpper(string(b[:n]))), from)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func openRelay(t *testing.T, change func(*Options)) *Relay {
	t.Helper()
	target := media(t)
	o := Options{Host: "127.0.0.1", Target: target, Media: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.5"), target.Port()), Secret: []byte("secret")}
	var err error
	o.UDP, err = net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	o.TCP, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	if change != nil {
		change(&o)
	}
	r, err := Open(o)
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	return r
}

var form = regexp.MustCompile(`^<turn:(127\.0\.0\.1:\d+)\?transport=(udp|tcp)>; rel="ice-server"; username="([^"]+)"; credential="([^"]+)"; credential-type="password"$`)

// client comes to a relay with what a link says.
func client(t *testing.T, link string) *turn.Client {
	t.Helper()
	m := form.FindStringSubmatch(link)
	if m == nil {
		t.Fatal("a strange link:", link)
	}
	var conn net.PacketConn
	if m[2] == "udp" {
		var err error
		conn, err = net.ListenPacket("udp", "127.0.0.1:0")
		must(t, err)
	} else {
		c, err := net.Dial("tcp", m[1])
		must(t, err)
		conn = turn.NewSTUNConn(c)
	}
	c, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: m[1], Conn: conn, Username: m[3], Password: m[4], Realm: realm,
		LoggerFactory: &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled},
	})
	must(t, err)
	t.Cleanup(func() { c.Close(); _ = conn.Close() })
	must(t, c.Listen())
	return c
}

func TestAParticipantIsLedToMediaAndNowhereElse(t *testing.T) {
	t.Parallel()
	r := openRelay(t, nil)
	links := r.Links("ann")
	if len(links) != 2 {
		t.Fatal(links)
	}
	for _, link := range links {
		conn, err := client(t, link).Allocate()
		must(t, err)
		defer conn.Close()
		to := net.UDPAddrFromAddrPort(r.o.Media)
		_, err = conn.WriteTo([]byte("hello"), to)
		must(t, err)
		must(t, conn.SetReadDeadline(time.Now().Add(patience)))
		b := make([]byte, 100)
		n, from, err := conn.ReadFrom(b)
		must(t, err)
		if string(b[:n]) != "HELLO" || from.String() != to.String() {
			t.Errorf("got %q from %v", b[:n], from)
		}
		victim := media(t)
		for _, other := range []netip.AddrPort{victim, r.o.Target, netip.MustParseAddrPort("192.0.2.1:9")} {
			if _, err := conn.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(other)); err == nil {
				t.Error("is led to", other)
			}
		}
		// Another port of the address has a permission, but nothing gets there.
		_, _ = conn.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.o.Media.Addr(), victim.Port())))
		_, err = conn.WriteTo([]byte("again"), to)
		must(t, err)
		if n, from, err = conn.ReadFrom(b); err != nil || string(b[:n]) != "AGAIN" {
			t.Errorf("got %q from %v: %v", b[:n], from, err)
		}
	}
}

func TestNoTCPIsRelayed(t *testing.T) {
	t.Parallel()
	if _, err := client(t, openRelay(t, nil).Links("ann")[1]).AllocateTCP(); err == nil {
		t.Error("there is a TCP relay")
	}
}

func TestCredentialsEndAndCannotBeMadeUp(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	r := openRelay(t, func(o *Options) { o.Now = func() time.Time { return now } })
	link := r.Links("ann")[0]
	m := form.FindStringSubmatch(link)
	if want := fmt.Sprint(now.Add(life).Unix(), ":ann"); m[3] != want {
		t.Errorf("the name is %s, not %s", m[3], want)
	}
	for what, name := range map[string]string{"another name": strings.Replace(m[3], "ann", "bob", 1), "a later end": "9" + m[3], "no end": "ann"} {
		if _, err := client(t, strings.Replace(link, m[3], name, 1)).Allocate(); err == nil {
			t.Error("is served with", what)
		}
	}
	fresh, old := openRelay(t, func(o *Options) { o.Now = func() time.Time { return now.Add(life - time.Second) } }), openRelay(t, func(o *Options) { o.Now = func() time.Time { return now.Add(life) } })
	at := func(r *Relay) string { return strings.Replace(link, m[1], r.o.UDP.LocalAddr().String(), 1) }
	conn, err := client(t, at(fresh)).Allocate()
	must(t, err)
	defer conn.Close()
	if _, err := client(t, at(old)).Allocate(); err == nil {
		t.Error("is served after the end")
	}
}

func TestPlacesAreBoundedAndGivenBack(t *testing.T) {
	t.Parallel()
	r := openRelay(t, nil)
	r.mu.Lock()
	r.places["ann"] = ownPlaces - 1
	r.mu.Unlock()
	links := r.Links("ann")
	conn, err := client(t, links[0]).Allocate()
	must(t, err)
	if _, err := client(t, links[1]).Allocate(); err == nil {
		t.Error("there is one too many")
	}
	if conn, err := client(t, r.Links("bob")[0]).Allocate(); err != nil {
		t.Error("others have no room:", err)
	} else {
		must(t, conn.Close())
	}
	must(t, conn.Close())
	until(t, "room for another", func() bool { return r.enter("ann") })
	r.leave("ann")
	r.mu.Lock()
	all := r.all
	r.all = maxPlaces
	r.mu.Unlock()
	if r.enter("bob") {
		t.Error("everybody has room")
	}
	r.mu.Lock()
	r.all = all
	r.mu.Unlock()
}

func TestManyWhoComeAtOnceGetNoMorePlacesThanThereAre(t *testing.T) {
	t.Parallel()
	r := openRelay(t, nil)
	const left, many = 3, 50
	r.mu.Lock()
	r.places["ann"] = ownPlaces - left
	r.mu.Unlock()
	var g sync.WaitGroup
	got := make(chan net.PacketConn, many)
	for range many {
		g.Go(func() {
			conn, _, err := places{r}.AllocatePacketConn(turn.AllocateListenerConfig{Network: "udp4", UserID: "ann"})
			if err == nil {
				got <- conn
			}
		})
	}
	g.Wait()
	if len(got) != left {
		t.Errorf("%d places, not %d", len(got), left)
	}
	for len(got) > 0 {
		must(t, (<-got).Close())
	}
}

// until waits for a fact that nobody tells.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !true(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("no ", what, " in ", patience)
		}
	}
}

// telephone connects a stranger over TCP.
func telephone(t *testing.T, r *Relay) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.o.TCP.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// hungUp waits until the relay has closed a connection.
func hungUp(t *testing.T, conn net.Conn) {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err := io.Copy(io.Discard, conn)
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		t.Error("is still connected")
	}
}

func TestStrangersAreBoundedAndTheOldestHasToGo(t *testing.T) {
	t.Parallel()
	r := openRelay(t, nil)
	friend, err := client(t, r.Links("ann")[1]).Allocate()
	must(t, err)
	defer friend.Close()
	first := telephone(t, r)
	until(t, "stranger", func() bool { return r.strange() == 1 })
	one, two := net.Pipe()
	defer one.Close()
	defer two.Close()
	r.mu.Lock()
	for len(r.strangers) < maxStrangers {
		r.strangers = append(r.strangers, &caller{Conn: one, relay: r})
	}
	r.mu.Unlock()
	last := telephone(t, r)
	hungUp(t, first)
	if n := r.strange(); n != maxStrangers {
		t.Error(n, "strangers")
	}
	r.mu.Lock()
	r.strangers = slices.DeleteFunc(r.strangers, func(c *caller) bool { return c.Conn == one })
	r.mu.Unlock()
	_, err = last.Write(binding)
	must(t, err)
	if _, err = io.ReadFull(last, make([]byte, 20)); err != nil {
		t.Error("the newest is not let in:", err)
	}
	echoes(t, r, friend)
}

func (r *Relay) strange() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.strangers)
}

// echoes sends to media what comes back.
func echoes(t *testing.T, r *Relay, conn net.PacketConn) {
	t.Helper()
	_, err := conn.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(r.o.Media))
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	if n, _, err := conn.ReadFrom(make([]byte, 100)); err != nil || n != len("hello") {
		t.Errorf("%d bytes came back: %v", n, err)
	}
}

// binding is a request that everybody gets an answer to.
var binding = append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...)

func TestAStrangerWhoRemainsOneIsCutShortWhateverItSays(t *testing.T) {
	t.Parallel()
	r := openRelay(t, nil)
	friend, err := client(t, r.Links("ann")[1]).Allocate()
	must(t, err)
	defer friend.Close()
	silent, babbling := telephone(t, r), telephone(t, r)
	stop := make(chan struct{})
	var g sync.WaitGroup
	defer g.Wait()
	defer close(stop)
	g.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, _ = babbling.Write(binding)
			}
		}
	})
	hungUp(t, silent)
	hungUp(t, babbling)
	echoes(t, r, friend)
	// Who has no allocation any more is a stranger again.
	must(t, friend.Close())
	until(t, "stranger", func() bool { return r.strange() == 1 })
}

func TestAChannelLeadsToMediaAndAnAllocationHasOne(t *testing.T) {
	t.Parallel()
	r := openRelay(t, nil)
	bind := func(peer netip.AddrPort) []byte {
		m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodChannelBind, stun.ClassRequest), as{stun.XORMappedAddress{IP: peer.Addr().AsSlice(), Port: int(peer.Port())}})
		must(t, err)
		return m.Raw
	}
	for peer, astray := range map[netip.AddrPort]bool{
		r.o.Media: false,
		netip.AddrPortFrom(r.o.Media.Addr(), r.o.Media.Port()+1):         true,
		netip.AddrPortFrom(netip.AddrFrom16(r.o.Media.Addr().As16()), 9): true,
		netip.MustParseAddrPort("192.0.2.1:9"):                           false, // is refused by its address
		netip.MustParseAddrPort("[2001:db8::1]:9"):                       false,
	} {
		if got := r.astray(bind(peer)); got != astray {
			t.Errorf("%v: %v", peer, got)
		}
	}
	whole := bind(netip.AddrPortFrom(r.o.Media.Addr(), 9))
	for n := range whole {
		r.astray(whole[:n])
	}
	// The socket and the connection pass it on to nobody: what is read next is what came after it.
	conn, err := net.Dial("udp", r.o.UDP.LocalAddr().String())
	must(t, err)
	defer conn.Close()
	for _, c := range []net.Conn{conn, telephone(t, r)} {
		for _, b := range [][]byte{whole, binding} {
			_, err := c.Write(b)
			must(t, err)
		}
		must(t, c.SetReadDeadline(time.Now().Add(patience)))
		b := make([]byte, 100)
		if n, err := c.Read(b); err != nil || n < 20 || b[0] != 1 || b[1] != 1 {
			t.Errorf("% x: %v", b[:n], err)
		}
	}
}

func TestAnswersToStrangersAreRationed(t *testing.T) {
	t.Parallel()
	r, now := newRations(), time.Unix(1_800_000_000, 0)
	taken := func(a string, now time.Time) (n int) {
		for range 10 * ration {
			if r.take(netip.MustParseAddr(a), now) {
				n++
			}
		}
		return n
	}
	if n := taken("192.0.2.1", now); n != ration {
		t.Error(n, "answers")
	}
	if n := taken("::ffff:192.0.2.1", now.Add(time.Second/2)); n != 0 {
		t.Error(n, "more in the same second")
	}
	if n := taken("192.0.2.1", now.Add(time.Second)); n != ration {
		t.Error(n, "answers in the next second")
	}
	others := 0
	for i := range 20 {
		others += taken(fmt.Sprint("192.0.2.", 10+i), now.Add(2*time.Second))
	}
	if others < 10*ration {
		t.Error("others have", others)
	}
	taken("2001:db8::1", now.Add(3*time.Second))
	if n := taken("2001:db8::2:0:0:1", now.Add(3*time.Second)); n != 0 {
		t.Error(n, "more for the same network")
	}
	for kind, want := range map[string]bool{
		"\x01\x01": true, "\x01\x13": true, "\x01\x11": true, // Binding, and errors
		"\x01\x03": false, "\x00\x17": false, "\x40\x00": false, "\x51\x10": false, "": false, // an allocation, data, channels
	} {
		if toStranger([]byte(kind)) != want {
			t.Errorf("%q", kind)
		}
	}
}

func TestWhoAsksInAnothersNameHasLittleSentThere(t *testing.T) {
	t.Parallel()
	r := openRelay(t, nil)
	conn, err := client(t, r.Links("ann")[0]).Allocate()
	must(t, err)
	defer conn.Close()
	flood, err := net.Dial("udp", r.o.UDP.LocalAddr().String())
	must(t, err)
	defer flood.Close()
	began := time.Now()
	for range 40 * ration {
		_, _ = flood.Write(binding)
	}
	echoes(t, r, conn) // comes after all that; data are not rationed
	seconds := int(time.Since(began)/time.Second) + 2
	must(t, flood.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	answers := 0
	for b := make([]byte, 100); ; answers++ {
		if _, err := flood.Read(b); err != nil {
			break
		}
	}
	if answers == 0 || answers > seconds*ration {
		t.Errorf("%d answers in %d seconds", answers, seconds)
	}
}

// as adds an address as that of a peer.
type as struct{ stun.XORMappedAddress }

func (a as) AddTo(m *stun.Message) error { return a.AddToAs(m, stun.AttrXORPeerAddress) }
