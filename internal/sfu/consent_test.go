package sfu

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"
)

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
