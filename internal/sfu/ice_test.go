package sfu

import (
	"bytes"
	"crypto/rand"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"
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

// far is a peer at the end of a way that takes time, in a time of its own.
type far struct {
	p     *port
	l     *link
	out   *post
	now   time.Time
	trip  time.Duration
	there map[netip.AddrPort]bool // where it answers
	local credentials             // ours, and
	them  credentials             // its own, of the session that it is in
	read  int                     // of what was sent
	onWay []travelling
}

type travelling struct {
	letter
	at time.Time
}

func farAway(trip time.Duration, there ...netip.AddrPort) *far {
	f := &far{now: epoch, trip: trip, there: map[netip.AddrPort]bool{}}
	f.p, f.l, f.out = iceLink()
	f.local, f.them = f.l.current.local, theirs
	f.l.consent.Store(epoch.UnixNano())
	for _, a := range there {
		f.there[a] = true
	}
	return f
}

// pass lets time go by.
func (f *far) pass(span time.Duration) {
	const step = 50 * time.Millisecond
	for end := f.now.Add(span); f.now.Before(end); {
		f.now = f.now.Add(step)
		f.l.tend(f.now)
		f.reply()
		for len(f.onWay) > 0 && !f.onWay[0].at.After(f.now) {
			t := f.onWay[0]
			f.onWay = f.onWay[1:]
			f.p.take(t.bytes, t.to, f.now)
		}
	}
}

// reply puts answers to the checks that were sent on their way.
func (f *far) reply() {
	for ; f.read < len(f.out.sent); f.read++ {
		var m stunMessage
		if l := f.out.sent[f.read]; f.there[l.to] && m.parse(l.bytes) && m.kind == bindingRequest {
			k := newSTUNKey(f.them.pwd)
			f.onWay = append(f.onWay, travelling{letter{newSTUN(bindingSuccess, m.id).withAddress(l.to).sealed(&k), l.to}, f.now.Add(f.trip)})
		}
	}
}

// checks has the peer check from an address, or somebody who knows how.
func (f *far) checks(from netip.AddrPort, nominates bool) {
	f.p.take(asks(f.local, f.them, nominates), from, f.now)
}

// restarts has the peer begin another ICE session. It forgets the one before.
func (f *far) restarts() {
	f.them = credentials{"other", strings.Repeat("w", 24)}
	f.local, _ = f.l.restart(f.them)
}

// stays lets a minute pass, in which the peer checks as clients do who have found their way, and asks that it keeps its consent.
func (f *far) stays(t *testing.T, at netip.AddrPort) {
	t.Helper()
	for range 30 {
		f.checks(at, false)
		f.pass(2 * time.Second)
	}
	if f.goesTo(t, at); f.l.silence(f.now) > usual.keepalive*6/5+time.Second {
		t.Error("has not agreed for", f.l.silence(f.now))
	}
}

// asked counts our checks of an address.
func (f *far) asked(to netip.AddrPort) (n int) {
	for _, l := range f.out.sent {
		var m stunMessage
		if l.to == to && m.parse(l.bytes) && m.kind == bindingRequest {
			n++
		}
	}
	return n
}

func (f *far) goesTo(t *testing.T, want netip.AddrPort) {
	t.Helper()
	if a := f.l.remote.Load(); a == nil || a.AddrPort != want {
		t.Fatalf("media go to %v, not to %v", a, want)
	}
}

// Checks of many that keep step come all at once.
func TestChecksForConsentDoNotKeepStep(t *testing.T) {
	t.Parallel()
	shortest, longest := time.Hour, time.Duration(0)
	for range 1000 {
		p, l, out := iceLink()
		p.take(asks(l.current.local, theirs, true), home, epoch)
		p.take(replies(t, out, theirs), home, epoch)
		rest := l.remote.Load().due.Sub(epoch)
		shortest, longest = min(shortest, rest), max(longest, rest)
	}
	if low, high := usual.keepalive*4/5, usual.keepalive*6/5; shortest < low || longest > high || longest-shortest < usual.keepalive/5 {
		t.Error("from", shortest, "to", longest)
	}
}

func TestALinkThatHasEndedIsNotRestarted(t *testing.T) {
	t.Parallel()
	p, l, _ := iceLink()
	l.close()
	if _, ok := l.restart(theirs); ok || len(p.sessions) > 0 {
		t.Error("left over:", len(p.sessions), "sessions of a peer that has gone")
	}
}

// consent is how long a peer is kept without it.
const consent = 30 * time.Second

func TestConsentIsThatOfTheAddressThatMediaGoTo(t *testing.T) {
	t.Parallel()
	for name, elsewhere := range map[string]func(*far){
		"nothing":                   func(*far) {},
		"checks":                    func(f *far) { f.checks(abroad, false) },
		"checks, in the name of it": func(f *far) { f.checks(home, true) },
		"media":                     func(f *far) { f.l.put(make([]byte, 100), abroad, f.now) },
		"an answer of long ago": func(f *far) {
			k := newSTUNKey(theirs.pwd)
			f.p.take(newSTUN(bindingSuccess, transaction{1}).withAddress(home).sealed(&k), home, f.now)
		},
	} {
		f := farAway(100*time.Millisecond, home)
		f.checks(home, true)
		f.pass(time.Minute)
		if f.goesTo(t, home); f.l.silence(f.now) > usual.keepalive*6/5+time.Second {
			t.Error(name, ": an address that answers has not agreed for", f.l.silence(f.now))
		}
		f.there[home] = false
		for range consent / time.Second {
			elsewhere(f)
			f.pass(time.Second)
		}
		if got := f.l.silence(f.now); got < usual.disconnected+usual.failed {
			t.Error(name, ": kept for good,", got)
		}
		f.goesTo(t, home)
	}
}

func TestAnAddressThatWasOnceThePeersHasToAnswerAgain(t *testing.T) {
	t.Parallel()
	f := farAway(100*time.Millisecond, home, abroad)
	f.checks(abroad, true)
	f.pass(time.Second)
	f.goesTo(t, abroad)
	f.checks(home, true)
	f.pass(time.Second)
	f.goesTo(t, home)
	f.there[abroad] = false // somebody else is there now
	for range 20 {
		f.checks(abroad, true)
		f.checks(abroad, false)
		f.pass(time.Second)
		f.goesTo(t, home)
	}
	f.there[home] = false // not even when it says nothing any more
	for range consent / time.Second {
		f.checks(abroad, false)
		f.pass(time.Second)
		f.goesTo(t, home)
	}
	if f.l.silence(f.now) < usual.disconnected+usual.failed {
		t.Error("has agreed")
	}
}

func TestACheckThatWasOverheardAndSentAgainAimsNothingAtAnybody(t *testing.T) {
	t.Parallel()
	f := farAway(100*time.Millisecond, home)
	overheard := asks(f.l.current.local, theirs, true)
	f.p.take(overheard, home, f.now)
	f.pass(time.Second)
	const replays = 600
	before := len(f.out.sent)
	for range replays {
		f.p.take(overheard, abroad, f.now)
		f.pass(100 * time.Millisecond)
		f.goesTo(t, home)
	}
	if n := f.asked(abroad); n > replays/2 {
		t.Errorf("asked %d times for %d packets", n, replays)
	}
	if f.l.silence(f.now) > usual.keepalive*6/5+time.Second {
		t.Error("the peer was not asked meanwhile")
	}
	f.pass(10 * time.Minute)
	if n := len(f.out.sent) - before; n > 2*replays {
		t.Errorf("%d packets led to %d", replays, n)
	}
	for i := range uint16(1000) { // as a rain over many
		f.p.take(overheard, netip.AddrPortFrom(abroad.Addr(), 3000+i), f.now)
	}
	before = len(f.out.sent)
	f.pass(time.Hour)
	var more int
	for _, l := range f.out.sent[before:] {
		if l.to != home {
			more++
		}
	}
	if f.goesTo(t, home); more > maxTries {
		t.Errorf("went on for %d packets", more)
	}
}

func TestAFloodOfChecksIsAnsweredInPart(t *testing.T) {
	t.Parallel()
	f := farAway(0, home)
	for range 20 * mostAnswers {
		f.checks(home, true)
	}
	if n := len(f.out.sent); n > mostAnswers+1 {
		t.Error("sent", n)
	}
	f.pass(2 * time.Second)
	before := len(f.out.sent)
	f.checks(home, true)
	if f.goesTo(t, home); len(f.out.sent) != before+1 {
		t.Error("is not answered any more")
	}
}

func TestAChoiceThatAnswersNothingIsLeftAlone(t *testing.T) {
	t.Parallel()
	f := farAway(100*time.Millisecond, home)
	f.checks(home, true)
	f.pass(time.Second)
	f.checks(abroad, true)
	before := f.asked(home)
	f.pass(time.Minute)
	if n := f.asked(abroad); n != maxTries {
		t.Error("was asked", n, "times")
	}
	if f.asked(home) < before+9 || f.l.silence(f.now) > usual.keepalive*6/5+time.Second {
		t.Error("where it is it was not asked for its consent any more")
	}
	f.there[abroad] = true
	f.checks(abroad, true)
	f.pass(time.Second)
	f.goesTo(t, abroad) // chosen again
}

func TestAPeerThatMovesIsFollowed(t *testing.T) {
	t.Parallel()
	for _, trip := range []time.Duration{0, 100 * time.Millisecond, time.Second, 3 * time.Second} {
		f := farAway(trip, home, abroad)
		f.checks(home, true)
		f.pass(2*trip + time.Second)
		f.goesTo(t, home)
		for range 30 { // as long as it answers where it has been, it is there, whatever comes from elsewhere
			f.checks(abroad, false)
			f.pass(2 * time.Second)
			f.goesTo(t, home)
			if f.l.silence(f.now) > usual.keepalive*6/5+trip+time.Second {
				t.Fatal("has not agreed for", f.l.silence(f.now))
			}
		}
		f.there[home] = false
		for range 3 {
			f.checks(abroad, false)
			f.pass(doubtSpan/2 + 2*trip)
		}
		f.goesTo(t, abroad)
	}
}

func TestAPeerThatHasMovedAndRestartsIsFollowedWhateverWasInDoubt(t *testing.T) {
	t.Parallel()
	for pause := time.Duration(0); pause < 3*time.Second; pause += 50 * time.Millisecond {
		f := farAway(100*time.Millisecond, home)
		f.checks(home, true)
		f.pass(time.Second)
		f.there = map[netip.AddrPort]bool{abroad: true}
		f.checks(abroad, false)
		f.pass(pause)
		f.restarts()
		f.checks(abroad, true)
		f.stays(t, abroad)
		if f.l.next != nil {
			t.Error(pause, "after its first check from elsewhere: the restart was not completed")
		}
	}
}

func TestAPeerThatChoseOnceNeedNotChooseAgain(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*far){
		"at first":        func(*far) {},
		"after a restart": func(f *far) { f.checks(home, true); f.pass(time.Second); f.restarts() },
	} {
		f := farAway(100*time.Millisecond, home)
		begin(f)
		f.there = nil
		f.checks(abroad, true)
		f.pass(20 * time.Second) // all our checks are lost
		f.there = map[netip.AddrPort]bool{abroad: true}
		t.Log(name)
		f.stays(t, abroad)
	}
}

func TestAWayOfThreeSecondsIsLongAndNotBroken(t *testing.T) {
	t.Parallel()
	f := farAway(3*time.Second, home)
	f.checks(home, true)
	f.pass(10 * time.Minute)
	if f.goesTo(t, home); f.l.silence(f.now) > usual.keepalive*6/5+4*time.Second {
		t.Error("has not agreed for", f.l.silence(f.now))
	}
	if n := f.asked(home); n > 100 {
		t.Error("was asked", n, "times in ten minutes")
	}
}

func TestMediaOfAPublisherFromWhereReportsGoAreConsent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sends bool
		from  netip.AddrPort
		want  bool
	}{{true, home, true}, {true, abroad, false}, {false, home, false}} {
		f := farAway(0, home)
		f.checks(home, true)
		f.pass(time.Second)
		keys := benchLink(t, f.p, home, srtp.ProtectionProfileAeadAes128Gcm).keys.Load()
		f.l.keys.Store(keys)
		f.l.sends = c.sends
		f.there[home] = false
		f.pass(consent)
		plain, err := (&rtcp.ReceiverReport{SSRC: 7}).Marshal()
		must(t, err)
		sealed, err := keys.sealReports(plain)
		must(t, err)
		f.l.put(sealed, c.from, f.now)
		must(t, f.l.receive(deafened{}))
		if got := f.l.silence(f.now) < time.Second; got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
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
