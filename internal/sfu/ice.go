package sfu

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// The controlled side of ICE (RFC 8445) as a server with a known address needs it: the peer checks our address
// and nominates; where its authentic checks come from is where it is. Media go only to an address that has answered a check of ours, whose
// transaction nobody else can know, and only as long as it goes on to do so (RFC 7675): nobody can aim them at a third party,
// not even by a check that was overheard and sent again, nor at an address that was once the peer's.

// credentials are one side's of an ICE session.
type credentials struct{ ufrag, pwd string }

// session is an ICE session; a restart begins another. Its keys are protected by the link's mutex.
type session struct {
	link          *link
	local, remote credentials
	ours, theirs  stunKey        // of what is sent to us, and to them
	tie           [8]byte        // section 16.1; it never decides, but some (OBS) take zero for none at all
	choice        netip.AddrPort // that the peer has nominated last: it says so once, and checks on
}

// candidate is an address that the peer has nominated.
type candidate struct {
	session *session
	address *address
}

// check is a connectivity check of ours that may still be answered.
type check struct {
	session *session
	id      transaction
	made    time.Time
}

// inquiry is what a link knows of an address by its checks. It is protected by the link's mutex.
type inquiry struct {
	proved bool          // it has answered
	checks [8]check      // the last we made
	tries  int           // since it answered
	due    time.Time     // not before then the next
	trip   time.Duration // of the last answer
}

// ration counts what there may be so much of in a second.
type ration struct {
	second int64
	taken  int
}

// take tells whether there may be one more answer to a check.
func (r *ration) take(now time.Time) bool {
	if second := now.Unix(); r.second != second {
		*r = ration{second: second}
	}
	r.taken++
	return r.taken <= mostAnswers
}

const (
	mostAnswers  = 500                    // to checks of one peer in a second: a client with many addresses makes a fifth
	maxAddresses = 8                      // of one peer, remembered
	checkPause   = 200 * time.Millisecond // between checks, and a round trip
	quickTries   = 5                      // after which the pauses get longer
	maxTries     = 10                     // after which a chosen address is left alone: whoever is there and does not know of it
	doubtSpan    = time.Second            // and two round trips: a peer that checks from elsewhere does not answer where it has been
)

func newSession(l *link, remote credentials) *session {
	local := credentials{rand.Text()[:16], rand.Text() + rand.Text()[:6]}
	s := &session{link: l, local: local, remote: remote, ours: newSTUNKey(local.pwd), theirs: newSTUNKey(remote.pwd)}
	_, _ = rand.Read(s.tie[:])
	return s
}

// restart begins another session. The old one goes on until the peer uses the new. False when the link has ended.
func (l *link) restart(remote credentials) (local credentials, ok bool) {
	s := newSession(l, remote)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return credentials{}, false
	}
	l.port.mu.Lock()
	defer l.port.mu.Unlock()
	if l.next != nil {
		delete(l.port.sessions, l.next.local.ufrag)
	}
	l.next = s
	l.port.sessions[s.local.ufrag] = s
	return s.local, true
}

// asked answers a check of the peer's. What else is sent because of it is one check of ours, if one is due.
func (l *link) asked(s *session, m *stunMessage, theirs []byte, from netip.AddrPort, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || s != l.current && s != l.next || string(theirs) != s.remote.ufrag || !m.authentic(&s.ours) {
		return
	}
	if !l.answers.take(now) {
		return
	}
	if m.controlled { // section 7.3.1.1: we stay the controlled side
		conflict := []byte{0, 0, 4, 87}
		_ = l.port.write(newSTUN(bindingError, m.id).with(attrErrorCode, conflict).sealed(&s.ours), from)
		return
	}
	l.heard.Store(now.UnixNano())
	a, ours := l.address(from)
	_ = l.port.write(newSTUN(bindingSuccess, m.id).withAddress(from).sealed(&s.ours), from)
	if m.nominates {
		s.choice = from
	}
	settled := s == l.current && a == l.remote.Load() && ours
	switch {
	case s.choice == from && !settled:
		l.consider(candidate{s, a}, now)
	case !a.proved || !ours:
		l.ask(s, a, now)
	default:
		l.doubt(s, a, now)
	}
}

// doubt is for a peer that checks from an address which it has not chosen, perhaps because it has moved: then it does not answer
// at the old one any more. l.mu is held.
func (l *link) doubt(s *session, a *address, now time.Time) {
	remote := l.remote.Load()
	if remote == nil || remote == a || s != l.current {
		return
	}
	if l.rival == nil {
		l.doubted = now
		l.ask(s, remote, now)
	}
	l.rival = a
}

// forsaken tells whether the peer has not answered where it was for so long that it must be where its checks come from. l.mu is held.
func (l *link) forsaken(remote *address, now time.Time) bool {
	return l.rival != nil && now.Sub(l.doubted) >= doubtSpan+2*max(remote.trip, l.rival.trip)
}

// address finds what is known of an address, and makes it the link's in the port's table; when it is another link's, only
// the answer to a check of ours will. l.mu is held.
func (l *link) address(from netip.AddrPort) (_ *address, ours bool) {
	p := l.port
	var oldest *address
	defer func() { oldest.leave() }()
	p.mu.Lock()
	defer p.mu.Unlock()
	if ours = p.addresses[from] == nil || p.addresses[from] == l; ours {
		p.addresses[from] = l
	} else {
		p.claims[from] = l
	}
	if a := l.find(from); a != nil {
		return a, ours
	}
	if len(l.known) == maxAddresses {
		oldest = l.known[0]
		if oldest == l.remote.Load() {
			oldest = l.known[1]
		}
		p.release(l, oldest.AddrPort)
		l.drop(oldest)
	}
	a := &address{AddrPort: from, native: p.native(from), pipe: p.pipes[from]}
	l.known = append(l.known, a)
	return a, ours
}

// find finds an address among those that are known. l.mu is held.
func (l *link) find(from netip.AddrPort) *address {
	for _, a := range l.known {
		if a.AddrPort == from {
			return a
		}
	}
	return nil
}

// drop forgets an address. l.mu is held.
func (l *link) drop(a *address) {
	l.known = slices.DeleteFunc(l.known, func(k *address) bool { return k == a })
	a.inquiry = inquiry{}
	if l.rival == a {
		l.rival = nil
	}
	if l.candidate.address == a {
		l.candidate = candidate{}
	}
}

// consider sends media to an address if it answers a check that is made now or later. l.mu is held.
func (l *link) consider(c candidate, now time.Time) {
	if c.session != l.current {
		l.rival = nil // a peer that has restarted does not answer in the old session any more, wherever it is
	}
	l.candidate = c
	l.ask(c.session, c.address, now)
}

// ask checks an address, unless a check of it may still be answered and it is too early for another. l.mu is held.
func (l *link) ask(s *session, a *address, now time.Time) {
	if a.tries == 0 || !now.Before(a.due) {
		l.check(s, a, now)
	}
}

// check asks whether the peer is really at an address. l.mu is held.
func (l *link) check(s *session, a *address, now time.Time) {
	c := check{session: s, made: now}
	_, _ = rand.Read(c.id[:])
	a.checks[a.tries%len(a.checks)] = c
	pause := (checkPause + a.trip) << max(0, min(a.tries-quickTries, 10))
	a.due = now.Add(min(pause, l.port.timing.keepalive))
	a.tries++
	const priority = 110<<24 | 65535<<8 | 255 // as if we were peer-reflexive
	_ = l.port.write(newSTUN(bindingRequest, c.id).
		with(attrUsername, []byte(s.remote.ufrag+":"+s.local.ufrag)).
		with(attrControlled, s.tie[:]).
		with(attrPriority, binary.BigEndian.AppendUint32(nil, priority)).
		sealed(&s.theirs), a.AddrPort)
}

// answered takes the answer to a check of ours; false when it is none.
func (l *link) answered(m *stunMessage, from netip.AddrPort, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.find(from)
	if a == nil {
		return false
	}
	i := slices.IndexFunc(a.checks[:], func(c check) bool { return c.session != nil && c.id == m.id })
	if i < 0 || !m.authentic(&a.checks[i].session.theirs) {
		return false
	}
	c := a.checks[i]
	a.proved, a.tries, a.checks[i] = true, 0, check{}
	a.due, a.trip = now.Add(l.port.timing.rest()), max(0, now.Sub(c.made))
	l.trip.Store(int64(a.trip))
	l.heard.Store(now.UnixNano())
	remote := l.remote.Load()
	if a == remote {
		l.rival = nil
		l.consent.Store(now.UnixNano())
	}
	switch {
	case l.candidate == candidate{c.session, a}:
		l.settle(c.session, a, now)
	case a != remote:
		l.doubt(c.session, a, now)
	}
	l.greet()
	return true
}

// settle sends media to an address from now on: it has just answered. l.mu is held.
func (l *link) settle(s *session, a *address, now time.Time) {
	l.candidate, l.rival = candidate{}, nil
	l.consent.Store(now.UnixNano())
	if s == l.next {
		l.port.mu.Lock()
		delete(l.port.sessions, l.current.local.ufrag)
		l.port.mu.Unlock()
		l.current, l.next = s, nil
	}
	if l.remote.Swap(a) == nil {
		l.wake()
	}
}

// tend makes the checks that are due: of an address that was chosen and has not answered yet, and of the one that media go to.
func (l *link) tend(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	remote := l.remote.Load()
	if remote != nil && l.forsaken(remote, now) {
		l.consider(candidate{l.current, l.rival}, now)
		l.rival = nil
	}
	switch c := l.candidate; {
	case c.address == nil || now.Before(c.address.due):
	case c.address.tries < maxTries:
		l.check(c.session, c.address, now)
	default:
		l.candidate = candidate{}
	}
	if remote != nil && !now.Before(remote.due) {
		l.check(l.current, remote, now)
	}
}

// lose forgets an address that cannot be used any more. If the peer was there, it may be where it was before.
func (l *link) lose(from netip.AddrPort, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := l.find(from)
	if gone == nil {
		return
	}
	l.drop(gone)
	if a := l.proved(); a != nil && gone == l.remote.Load() && l.candidate.address == nil {
		l.consider(candidate{l.current, a}, now)
	}
}

// correspondent is where the handshake goes: perhaps before the peer has chosen.
func (l *link) correspondent() *address {
	if a := l.remote.Load(); a != nil {
		return a
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.proved()
}

// proved is the last address at which the peer has shown to be. l.mu is held.
func (l *link) proved() *address {
	for _, a := range slices.Backward(l.known) {
		if a.proved {
			return a
		}
	}
	return nil
}
