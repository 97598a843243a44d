package sfu

import (
	"bytes"
	"crypto/rand"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/pion/stun/v4"
	"github.com/pion/transport/v5/packetio"
)

// post keeps what a port without a socket sends.
type post struct {
	net.PacketConn
	sent []letter
}

type letter struct {
	bytes []byte
	to    netip.AddrPort
}

func (p *post) WriteTo(b []byte, to net.Addr) (int, error) {
	p.sent = append(p.sent, letter{bytes.Clone(b), to.(*net.UDPAddr).AddrPort()})
	return len(b), nil
}

func (p *post) last(t *testing.T, kind uint16) (stunMessage, letter) {
	t.Helper()
	for i := len(p.sent) - 1; i >= 0; i-- {
		var m stunMessage
		if m.parse(p.sent[i].bytes) && m.kind == kind {
			return m, p.sent[i]
		}
	}
	t.Fatalf("nothing of kind %#x among %d messages", kind, len(p.sent))
	return stunMessage{}, letter{}
}

var (
	home   = netip.MustParseAddrPort("192.0.2.1:1000")
	abroad = netip.MustParseAddrPort("192.0.2.2:2000")
	theirs = credentials{"their", strings.Repeat("y", 24)}
)

func iceLink() (*port, *link, *post) {
	p, out := nowhere(func(*batch) {}), &post{}
	p.conn, p.sessions, p.links = out, map[string]*session{}, map[*link]struct{}{}
	p.addresses, p.claims = map[netip.AddrPort]*link{}, map[netip.AddrPort]*link{}
	return p, p.dial(theirs, handshake{}, func() {}, nil), out
}

// asks is a check as a peer makes it.
func asks(to credentials, from credentials, nominates bool) []byte {
	var id transaction
	_, _ = rand.Read(id[:])
	b := newSTUN(bindingRequest, id).with(attrUsername, []byte(to.ufrag+":"+from.ufrag))
	if nominates {
		b = b.with(attrUseCandidate, nil)
	}
	k := newSTUNKey(to.pwd)
	return b.sealed(&k)
}

// replies answers the last check of ours as the peer would.
func replies(t *testing.T, out *post, from credentials) []byte {
	m, l := out.last(t, bindingRequest)
	k := newSTUNKey(from.pwd)
	return newSTUN(bindingSuccess, m.id).withAddress(l.to).sealed(&k)
}

func TestMediaGoOnlyWhereOurOwnCheckWasAnswered(t *testing.T) {
	t.Parallel()
	p, l, out := iceLink()
	local := l.current.local
	p.take(asks(local, theirs, true), home, epoch)
	if _, sent := out.last(t, bindingSuccess); sent.to != home || l.remote.Load() != nil {
		t.Error("took the word of a stranger", sent.to)
	}
	p.take(replies(t, out, credentials{"x", strings.Repeat("z", 24)}), home, epoch)
	p.take(replies(t, out, theirs), abroad, epoch)
	if l.remote.Load() != nil {
		t.Error("took a forged answer")
	}
	p.take(replies(t, out, theirs), home, epoch)
	if a := l.remote.Load(); a == nil || a.AddrPort != home {
		t.Fatal("took no answer")
	}
	// The peer names somebody else, who answers nothing.
	p.take(asks(local, theirs, true), abroad, epoch)
	if a := l.remote.Load(); a.AddrPort != home {
		t.Error("turned to a third party")
	}
	if _, sent := out.last(t, bindingRequest); sent.to != abroad {
		t.Error("did not ask there")
	}
	p.take(replies(t, out, theirs), abroad, epoch)
	if a := l.remote.Load(); a.AddrPort != abroad {
		t.Error("does not follow its peer")
	}
}

func TestChecksSayWhoControlsInAWayThatNobodyMistakes(t *testing.T) {
	t.Parallel()
	p, l, out := iceLink()
	p.take(asks(l.current.local, theirs, false), home, epoch)
	p.take(asks(l.current.local, theirs, true), abroad, epoch)
	var ties [][]byte
	for _, sent := range out.sent {
		if at := bytes.Index(sent.bytes, []byte{attrControlled >> 8, attrControlled & 0xff, 0, 8}); at > 0 {
			ties = append(ties, sent.bytes[at+4:at+12])
		}
	}
	if len(ties) != 2 || !bytes.Equal(ties[0], ties[1]) || bytes.Equal(ties[0], make([]byte, 8)) {
		t.Errorf("tie-breakers %x; libjuice takes zero for none and refuses the check", ties)
	}
}

func TestTheHandshakeWaitsUntilThePeerHasShownWhereItIs(t *testing.T) {
	t.Parallel()
	p, l, out := iceLink()
	var err error
	p.identity, err = newIdentity()
	must(t, err)
	began := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.shaking
	}
	p.take(asks(l.current.local, theirs, false), home, epoch)
	p.take([]byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, home, epoch)
	if began() || l.correspondent() != nil {
		t.Error("answers somebody who was only named")
	}
	p.take(replies(t, out, theirs), home, epoch)
	if !began() || l.correspondent().AddrPort != home {
		t.Error("what has waited is not answered")
	}
	l.close()
}

func TestAPortThatIsUsedAgainBelongsToItsNewUser(t *testing.T) {
	t.Parallel()
	p, first, out := iceLink()
	second := p.dial(theirs, handshake{}, func() {}, nil)
	p.take(asks(first.current.local, theirs, true), home, epoch)
	if p.at(home) != first {
		t.Fatal("the address is unknown")
	}
	p.take(asks(second.current.local, theirs, true), home, epoch)
	if p.at(home) != first {
		t.Error("taken away without a proof")
	}
	p.take(replies(t, out, theirs), home, epoch)
	if p.at(home) != second || second.remote.Load() == nil {
		t.Error("still the one who was there before")
	}
	first.forget()
	if p.at(home) != second {
		t.Error("the old one took the address with it")
	}
	second.forget()
	if len(p.addresses)+len(p.claims)+len(p.sessions)+len(p.links) != 0 {
		t.Error("left over", p.addresses, p.sessions, p.links)
	}
}

func TestWhoDoesNotKnowThePasswordIsNotAnswered(t *testing.T) {
	t.Parallel()
	p, l, out := iceLink()
	local := l.current.local
	for name, b := range map[string][]byte{
		"a wrong password":       asks(credentials{local.ufrag, strings.Repeat("z", 32)}, theirs, true),
		"somebody else's name":   asks(local, credentials{"other", theirs.pwd}, true),
		"an unknown session":     asks(credentials{"other", local.pwd}, theirs, true),
		"no protection":          newSTUN(bindingRequest, transaction{}).with(attrUsername, []byte(local.ufrag+":"+theirs.ufrag)),
		"media":                  append([]byte{0x80, 96}, make([]byte, 100)...),
		"a DTLS record":          append([]byte{22, 254, 253}, make([]byte, 100)...),
		"an answer to nothing":   newSTUN(bindingSuccess, transaction{}),
		"an empty datagram":      {},
		"a byte nobody uses":     {0xff, 1, 2, 3},
		"an attribute too long":  {0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 6, 0, 9},
		"a length that is wrong": {0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
	} {
		if p.take(b, home, epoch); len(out.sent) > 0 || len(p.addresses) > 0 {
			t.Error(name, "was answered")
		}
	}
}

func TestAStrangersPacketsCostNoMemory(t *testing.T) {
	p, l, _ := iceLink()
	for _, b := range [][]byte{
		append([]byte{0x80, 96}, make([]byte, 1000)...), append([]byte{22, 254, 253}, make([]byte, 1000)...),
		asks(credentials{"nobody", strings.Repeat("z", 32)}, theirs, true),
		asks(credentials{l.current.local.ufrag, strings.Repeat("z", 32)}, theirs, true), // has seen a check go by
	} {
		before := runtime.NumGoroutine()
		if n := testing.AllocsPerRun(100, func() { p.take(b, abroad, epoch) }); n != 0 {
			t.Error(n, "allocations")
		}
		if n := runtime.NumGoroutine(); n > before {
			t.Error(n-before, "goroutines")
		}
	}
}

func TestTheAddressesOfAPeerAreBounded(t *testing.T) {
	t.Parallel()
	p, l, out := iceLink()
	p.take(asks(l.current.local, theirs, true), home, epoch)
	p.take(replies(t, out, theirs), home, epoch)
	for i := range uint16(100) {
		p.take(asks(l.current.local, theirs, false), netip.AddrPortFrom(abroad.Addr(), i+1), epoch)
	}
	if len(l.known) != maxAddresses || len(p.addresses) != maxAddresses || p.at(home) != l {
		t.Error("remembers", len(l.known), len(p.addresses))
	}
}

func TestAControllingPeerIsToldThatWeAreControlled(t *testing.T) {
	t.Parallel()
	p, l, out := iceLink()
	k := newSTUNKey(l.current.local.pwd)
	p.take(newSTUN(bindingRequest, transaction{7}).with(attrUsername, []byte(l.current.local.ufrag+":"+theirs.ufrag)).
		with(attrControlled, make([]byte, 8)).sealed(&k), home, epoch)
	if m, _ := out.last(t, bindingError); m.id != (transaction{7}) {
		t.Error("answered another")
	}
}

func TestOurSTUNIsWhatOthersRead(t *testing.T) {
	t.Parallel()
	for _, from := range []netip.AddrPort{home, netip.MustParseAddrPort("[2001:db8::7]:4711")} {
		k := newSTUNKey("secret")
		raw := newSTUN(bindingSuccess, transaction{1, 2, 3}).withAddress(from).sealed(&k)
		m := &stun.Message{Raw: raw}
		must(t, m.Decode())
		must(t, stun.NewShortTermIntegrity("secret").Check(m))
		must(t, stun.Fingerprint.Check(m))
		var mapped stun.XORMappedAddress
		must(t, mapped.GetFrom(m))
		if mapped.String() != from.String() || m.Type != stun.BindingSuccess {
			t.Error(mapped, m.Type)
		}
	}
	built, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername("a:bcd"), stun.NewShortTermIntegrity("secret"), stun.Fingerprint)
	must(t, err)
	var m stunMessage
	k := newSTUNKey("secret")
	if !m.parse(built.Raw) || string(m.username) != "a:bcd" || !m.authentic(&k) {
		t.Error("did not read theirs", m)
	}
}

func FuzzSTUN(f *testing.F) {
	f.Add(asks(credentials{"ours", strings.Repeat("x", 22)}, theirs, true))
	f.Add([]byte{0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 6, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m stunMessage
		if !m.parse(b) {
			return
		}
		k := newSTUNKey("secret")
		if m.authentic(&k) && m.mac == nil {
			t.Fatal("authentic without a proof")
		}
	})
}

// Whatever comes to the socket, before and after a peer is known at an address, ends nothing and stays within bounds.
func FuzzPort(f *testing.F) {
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, true)
	f.Add([]byte{0x80, 200, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}, true)
	f.Add(make([]byte, 100), false)
	f.Fuzz(func(t *testing.T, b []byte, known bool) {
		p, l, _ := iceLink()
		l.shaking, l.records = true, packetio.NewBuffer() // the handshake is pion's
		if known {
			p.take(asks(l.current.local, theirs, true), home, epoch)
		}
		p.take(b, home, epoch)
		if len(l.inbox.bytes) > len(b) || !known && len(p.addresses) > 0 {
			t.Fatal("kept too much")
		}
		l.keys.Store(benchLink(t, p, home, 7).keys.Load())
		if err := l.receive(nobody{t}); err != nil {
			t.Fatal(err)
		}
	})
}

// deafened takes everything.
type deafened struct{}

func (deafened) rtp([]byte, arrival)  {}
func (deafened) rtcp([]byte, arrival) {}

// nobody expects nothing.
type nobody struct{ t *testing.T }

func (n nobody) rtp([]byte, arrival)  { n.t.Fatal("forged RTP was believed") }
func (n nobody) rtcp([]byte, arrival) { n.t.Fatal("forged RTCP was believed") }

func TestTheAnswerIsThatOfAFullAgent(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{IPs: []net.IP{net.IPv4(203, 0, 113, 5)}})
	_, answer, err := e.Publish(t.Context(), readTestdata(t, "chromium-publish.sdp"), Notify{})
	must(t, err)
	if strings.Contains(answer, "ice-lite") || !strings.Contains(answer, "203.0.113.5") {
		t.Error(answer)
	}
}
