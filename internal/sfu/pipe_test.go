package sfu

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/webrtc/v4"
)

func listenTCP(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l
}

// walled is a client whose network lets no UDP through.
func walled(t testing.TB, codecs ...webrtc.RTPCodecParameters) *client {
	t.Helper()
	var s webrtc.SettingEngine
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	return newClientOver(t, s, webrtc.Configuration{}, codecs)
}

func TestMediaFlowOverTCPWhereThereIsNoUDP(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t)})
	c := publish(t, e, cameraOptions{client: walled(t)})
	wait(t, c.story.media, "media")
	for name, o := range map[string]viewerOptions{"UDP": {}, "TCP": {client: walled(t)}} {
		v := subscribe(t, e, c.pub, o)
		inOrder(t, v.video, 200)
		inOrder(t, v.audio, 200)
		if a := v.sub.link.remote.Load(); (a.pipe != nil) != (name == "TCP") {
			t.Error(name, "goes to", a.AddrPort)
		}
		v.sub.Close() // the goodbye arrives
		connectionState(t, v.client, webrtc.PeerConnectionStateClosed)
		<-v.sub.Done()
	}
	c.pub.Close() // theirs does not always: pion may end the connection with it unsent
	if err := wait(t, c.closed, "end"); err != nil {
		t.Error(err)
	}
	<-c.pub.Done()
	noPipes(t, e.port)
}

// spoken is a caller as the packet connection of its side of DTLS. It answers our checks on the way.
type spoken struct{ *caller }

func (s spoken) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		got, err := frame(s.r)
		if err != nil {
			return 0, nil, err
		}
		n := copy(b, got)
		_, _ = s.r.Discard(len(got))
		var m stunMessage
		if !m.parse(b[:n]) {
			return n, s.RemoteAddr(), nil
		}
		if m.kind == bindingRequest {
			k := newSTUNKey(theirs.pwd)
			_, _ = s.WriteTo(newSTUN(bindingSuccess, m.id).withAddress(home).sealed(&k), nil)
		}
	}
}

// Close leaves the connection to the test: DTLS would end it with its goodbye.
func (s spoken) Close() error { return s.SetReadDeadline(time.Now()) }

func (s spoken) WriteTo(b []byte, _ net.Addr) (int, error) {
	_, err := s.Write(framed(b))
	return len(b), err
}

// shakesHands does so in the name of who.
func (c *caller) shakesHands(who identity) *dtls.Conn {
	c.t.Helper()
	conn, err := dtls.ClientWithOptions(spoken{c}, c.RemoteAddr(), dtls.WithCertificates(who.certificate),
		dtls.WithSRTPProtectionProfiles(ciphers...), dtls.WithInsecureSkipVerify(true), dtls.WithLoggerFactory(logs{discard}))
	must(c.t, err)
	must(c.t, conn.HandshakeContext(c.t.Context()))
	return conn
}

// The client is made by hand: pion's may keep its last words to itself.
func TestAGoodbyeOverTCPIsHeard(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t)})
	who, err := newIdentity()
	must(t, err)
	for name, leave := range map[string]func(*net.TCPConn){
		"and stays":    func(*net.TCPConn) {},
		"and hangs up": func(c *net.TCPConn) { _ = c.Close() },
		"and is gone":  func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := e.port.dial(theirs, handshake{fingerprint: who.fingerprint}, func() {}, nil)
			defer l.close()
			c := telephone(t, e)
			c.settle(l)
			conn := c.shakesHands(who)
			until(t, "keys", func() bool { return l.state() == linkUp })
			must(t, conn.Close())
			leave(c.Conn.(*net.TCPConn))
			until(t, "goodbye", func() bool { return l.state() == linkBye })
		})
	}
}

// A connection that ends without a goodbye ends nothing else (RFC 6544): only consent does, when it has not been given for too long.
func TestWhoseConnectionHasBrokenComesBackByAnother(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t)})
	l := e.port.dial(theirs, handshake{}, func() {}, nil)
	defer l.close()
	first := telephone(t, e)
	first.settle(l)
	before := l.remote.Load()
	must(t, first.Close())
	noPipes(t, e.port)
	if s := l.state(); s == linkBye || s == linkLost {
		t.Error("has ended:", s)
	}
	second := telephone(t, e)
	second.settle(l)
	until(t, "the other connection", func() bool { return l.remote.Load() != before })
}

// mute is a connection to somebody who has gone, and whose last words have come.
type mute struct {
	net.Conn
	words         []byte
	failed, ended chan struct{}
}

func (m *mute) Write([]byte) (int, error) {
	close(m.failed)
	return 0, net.ErrClosed
}

func (m *mute) SetReadDeadline(t time.Time) error {
	select {
	case <-m.failed:
		close(m.ended)
	default:
	}
	return nil
}

func (m *mute) SetWriteDeadline(time.Time) error { return nil }

func (m *mute) Close() error {
	m.words = nil
	close(m.ended)
	return nil
}

func (m *mute) Read(b []byte) (int, error) {
	<-m.ended
	n := copy(b, m.words)
	if m.words = m.words[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Who is not there to read any more may have said goodbye before.
func TestWhatHasComeIsReadAlthoughNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	m := &mute{words: framed([]byte{1, 2, 3}), failed: make(chan struct{}), ended: make(chan struct{})}
	c := &pipe{conn: m, owned: true, gone: make(chan struct{}), ready: make(chan struct{}, 1)}
	c.put([]byte{1})
	c.write()
	if b, err := frame(bufio.NewReader(c.conn)); err != nil || len(b) != 3 {
		t.Error("lost:", err)
	}
}

// connectionState waits until a client's connection is in a state.
func connectionState(t testing.TB, c *client, wanted webrtc.PeerConnectionState) {
	t.Helper()
	until(t, "state "+wanted.String(), func() bool { return c.ConnectionState() == wanted })
}

// until waits for a fact that nobody tells.
func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !true(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("no ", what, " in ", patience)
		}
	}
}

func noPipes(t testing.TB, p *port) {
	t.Helper()
	until(t, "end of the connections", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.pipes) == 0 && len(p.strangers) == 0
	})
}

func TestTCPIsAnnouncedBelowUDP(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t), IPs: []net.IP{net.IPv4(192, 0, 2, 1), net.ParseIP("2001:db8::1")}})
	var last int
	for i, c := range e.port.candidates() {
		f := strings.Fields(c)
		var priority int
		for _, digit := range f[3] {
			priority = priority*10 + int(digit-'0')
		}
		if priority <= 0 || i > 0 && priority >= last {
			t.Error("in the wrong place:", c)
		}
		last = priority
		if tcp := i >= 2; tcp != (f[2] == "tcp") || tcp != strings.HasSuffix(c, "typ host tcptype passive") {
			t.Error(c)
		}
	}
	if got := openEngine(t, Options{}).port.candidates(); len(got) != 1 {
		t.Error("announces what is not there:", got)
	}
}

// caller is the other end of a pipe, by hand.
type caller struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func telephone(t testing.TB, e *Engine) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", e.port.listener.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &caller{conn, t, bufio.NewReaderSize(conn, 64<<10)}
}

func (c *caller) send(b []byte) {
	c.t.Helper()
	_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	must(c.t, err)
}

// receive gives the next packet.
func (c *caller) receive() []byte {
	c.t.Helper()
	must(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	b, err := frame(c.r)
	must(c.t, err)
	_, err = c.r.Discard(len(b))
	must(c.t, err)
	return bytes.Clone(b)
}

// hungUp waits until the engine has closed the connection, without a word.
func (c *caller) hungUp() {
	c.t.Helper()
	must(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	if b, err := io.ReadAll(c.r); len(b) > 0 {
		c.t.Errorf("was told % x", b)
	} else if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		c.t.Error("is still connected")
	}
}

// settle has a link believe that its peer is here.
func (c *caller) settle(l *link) {
	c.t.Helper()
	c.send(asks(l.current.local, theirs, true))
	c.answers()
	until(c.t, "address", func() bool { return l.remote.Load() != nil })
}

// answers answers the next question, whatever comes before it.
func (c *caller) answers() {
	c.t.Helper()
	for {
		var m stunMessage
		if !m.parse(c.receive()) {
			c.t.Fatal("no STUN")
		}
		if m.kind == bindingRequest {
			k := newSTUNKey(theirs.pwd)
			c.send(newSTUN(bindingSuccess, m.id).withAddress(home).sealed(&k))
			return
		}
	}
}

func TestStrangersOnTCPAreCutShort(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t)})
	for name, speak := range map[string]func(*caller){
		"nothing":           func(*caller) {},
		"half a frame":      func(c *caller) { _, _ = c.Write([]byte{0, 100, 1, 2, 3}) },
		"a frame too large": func(c *caller) { _, _ = c.Write([]byte{0xff, 0xff, 1, 2, 3}) },
		"HTTP":              func(c *caller) { _, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) },
		"empty frames":      func(c *caller) { _, _ = c.Write(make([]byte, strangerBytes)) },
		"checks of nobody":  func(c *caller) { _, _ = c.Write(bytes.Repeat(framed(asks(theirs, theirs, true)), 99)) },
		"media and DTLS": func(c *caller) {
			_, _ = c.Write(bytes.Repeat(append(framed(make([]byte, 900)), framed([]byte{22, 254, 253})...), 99))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := telephone(t, e)
			speak(c)
			c.hungUp()
		})
	}
}

func framed(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func TestStrangersOnTCPAreBounded(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t)})
	p := e.port
	one, two := net.Pipe()
	defer two.Close()
	oldest := &pipe{conn: one}
	p.mu.Lock()
	for len(p.strangers) < maxStrangers {
		p.strangers = append(p.strangers, oldest)
	}
	p.mu.Unlock()
	first := telephone(t, e)
	if _, err := two.Read(make([]byte, 1)); err == nil {
		t.Error("the oldest is not sent away")
	}
	_ = first.Close()
	noPipes(t, p)
	l := p.dial(theirs, handshake{}, func() {}, nil)
	defer l.close()
	c := telephone(t, e)
	c.settle(l)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.strangers) != 0 || len(p.pipes) != 1 || p.addresses[piped(c.LocalAddr().(*net.TCPAddr).AddrPort())] != l {
		t.Error("counts a friend as a stranger")
	}
}

func TestASlowReaderOnTCPDelaysNobody(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t)})
	l := e.port.dial(theirs, handshake{}, func() {}, nil)
	c := telephone(t, e)
	c.settle(l)
	a, packet := l.remote.Load(), make([]byte, 1200)
	b := e.port.batch()
	before := e.Stats().WriteErrors
	for sent := 0; sent < 64<<20; sent += len(packet) { // more than a kernel takes; waiting would never end
		b.room(1, len(packet))
		b.couple(a, copy(b.bytes[b.used:], packet))
		b.used += len(packet)
	}
	b.release()
	if e.Stats().WriteErrors == before {
		t.Error("nothing was dropped")
	}
	a.pipe.mu.Lock()
	if n := len(a.pipe.queue); n > pipeBacklog {
		t.Error(n, "bytes wait")
	}
	a.pipe.mu.Unlock()
	for range 100 {
		if got := c.receive(); len(got) != len(packet) {
			t.Fatal("the frames are broken:", len(got))
		}
	}
	l.close()
	noPipes(t, e.port) // although it is not read to its end
}

func TestAPipeThatBreaksLeavesThePeerWhereItWasBefore(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t)})
	p := e.port
	l := p.dial(theirs, handshake{}, func() {}, nil)
	defer l.close()
	first, second := telephone(t, e), telephone(t, e)
	first.settle(l)
	before := l.remote.Load()
	second.settle(l)
	until(t, "change of address", func() bool { return l.remote.Load() != before })
	_ = second.Close()
	first.answers()
	until(t, "change back", func() bool { return l.remote.Load() == before })
	_ = first.Close()
	noPipes(t, p)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.addresses)+len(p.claims) > 0 {
		t.Error("left over", p.addresses, p.claims)
	}
}

func TestAnAddressOnTCPIsNotTheSameOnUDP(t *testing.T) {
	t.Parallel()
	v6 := netip.MustParseAddrPort("[2001:db8::7]:4711")
	for _, a := range []netip.AddrPort{home, v6} {
		if piped(a) == a {
			t.Error("the same")
		}
		k := newSTUNKey("x")
		id := transaction{1}
		if got, want := newSTUN(bindingSuccess, id).withAddress(piped(a)).sealed(&k), newSTUN(bindingSuccess, id).withAddress(a).sealed(&k); !bytes.Equal(got, want) {
			t.Errorf("told % x, not % x", got, want)
		}
	}
}

// Whatever a stream is cut into, its frames are the same, and none is larger than it may be.
func FuzzFrame(f *testing.F) {
	f.Add(framed([]byte{1, 2, 3}), 1)
	f.Add([]byte{0xff, 0xff, 0}, 2)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		whole := bufio.NewReaderSize(bytes.NewReader(stream), 4*receiveMTU)
		parts := bufio.NewReaderSize(&slow{stream, max(step, 1)}, 4*receiveMTU)
		for {
			a, err := frame(whole)
			b, other := frame(parts)
			if (err == nil) != (other == nil) || err == nil && !bytes.Equal(a, b) || len(a) > receiveMTU {
				t.Fatal(err, other, len(a), len(b))
			}
			if err != nil {
				return
			}
			_, _ = whole.Discard(len(a))
			_, _ = parts.Discard(len(b))
		}
	})
}

// slow gives a few bytes at a time.
type slow struct {
	left []byte
	step int
}

func (s *slow) Read(b []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.left[:min(s.step, len(s.left))])
	s.left = s.left[n:]
	return n, nil
}
