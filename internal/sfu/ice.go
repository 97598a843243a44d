package sfu

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// The controlled side of ICE (RFC 8445) as a server with a known address needs it: the peer checks our address
// and nominates; where its authentic checks come from is where it is. Before media go to an
// address, it must have answered a check of ours: nobody can aim them at a third party.

// credentials are one side's of an ICE session.
type credentials struct{ ufrag, pwd string }

// session is an ICE session; a restart begins another. Its keys are protected by the link's mutex.
type session struct {
	link          *link
	local, remote credentials
	ours, theirs  stunKey // of what is sent to us, and to them
}

// candidate is an address that the peer has nominated.
type candidate struct {
	session *session
	address *address
}

// check is a connectivity check of ours that may still be answered.
type check struct {
	candidate
	id   transaction
	made time.Time
}

const maxAddresses = 8 // of one peer, remembered

func newSession(l *link, remote credentials) *session {
	local := credentials{rand.Text()[:16], rand.Text() + rand.Text()[:6]}
	return &session{link: l, local: local, remote: remote, ours: newSTUNKey(local.pwd), theirs: newSTUNKey(remote.pwd)}
}

// restart begins another session. The old one goes on until the peer uses the new.
func (l *link) restart(remote credentials) credentials {
	s := newSession(l, remote)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.port.mu.Lock()
	defer l.port.mu.Unlock()
	if l.next != nil {
		delete(l.port.sessions, l.next.local.ufrag)
	}
	l.next = s
	l.port.sessions[s.local.ufrag] = s
	return s.local
}

// asked answers a check of the peer's.
func (l *link) asked(s *session, m *stunMessage, theirs []byte, from netip.AddrPort, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || s != l.current && s != l.next || string(theirs) != s.remote.ufrag || !m.authentic(&s.ours) {
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
	switch {
	case m.nominates && a.proved && ours:
		l.settle(s, a)
	case m.nominates:
		l.candidate, l.tries = candidate{s, a}, 0
		l.check(s, a)
	case !a.proved && !a.asked || !ours:
		l.check(s, a)
	case a.proved:
		l.doubt(s, a)
	}
	a.asked = true
}

// doubt is for a peer that checks from an address which it has not chosen, perhaps because it has moved: then it does not answer
// at the old one any more. l.mu is held.
func (l *link) doubt(s *session, a *address) {
	remote := l.remote.Load()
	if remote == nil || remote == a || s != l.current {
		return
	}
	if l.rival == nil {
		l.missed = 0
		l.check(s, remote)
	}
	l.rival = a
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
	for _, a := range l.known {
		if a.AddrPort == from {
			return a, ours
		}
	}
	if len(l.known) == maxAddresses {
		oldest = l.known[0]
		if oldest == l.remote.Load() {
			oldest = l.known[1]
		}
		if oldest == l.rival {
			l.rival = nil
		}
		if oldest == l.candidate.address {
			l.candidate = candidate{}
		}
		p.release(l, oldest.AddrPort)
		l.known = slices.DeleteFunc(l.known, func(a *address) bool { return a == oldest })
	}
	a := &address{AddrPort: from, native: p.native(from), pipe: p.pipes[from]}
	l.known = append(l.known, a)
	return a, ours
}

// check asks whether the peer is really at an address. l.mu is held.
func (l *link) check(s *session, a *address) {
	c := check{candidate: candidate{s, a}, made: time.Now()}
	_, _ = rand.Read(c.id[:])
	l.checks[l.made%len(l.checks)] = c
	l.made++
	const priority = 110<<24 | 65535<<8 | 255 // as if we were peer-reflexive
	_ = l.port.write(newSTUN(bindingRequest, c.id).
		with(attrUsername, []byte(s.remote.ufrag+":"+s.local.ufrag)).
		with(attrControlled, make([]byte, 8)).
		with(attrPriority, binary.BigEndian.AppendUint32(nil, priority)).
		sealed(&s.theirs), a.AddrPort)
}

// answered takes the answer to a check of ours; false when it is none.
func (l *link) answered(m *stunMessage, from netip.AddrPort, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.checks[:], func(c check) bool { return c.session != nil && c.id == m.id && c.address.AddrPort == from })
	if i < 0 || !m.authentic(&l.checks[i].session.theirs) {
		return false
	}
	c := l.checks[i]
	l.trip.Store(max(0, int64(now.Sub(c.made))))
	l.checks[i] = check{}
	l.heard.Store(now.UnixNano())
	c.address.proved = true
	switch c.address {
	case l.candidate.address:
		l.settle(l.candidate.session, c.address)
	case l.remote.Load():
		l.rival = nil
	default:
		l.doubt(c.session, c.address)
	}
	l.greet()
	return true
}

// settle sends media to an address from now on. l.mu is held.
func (l *link) settle(s *session, a *address) {
	l.candidate, l.rival = candidate{}, nil
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

// maxTries is how often the peer's choice is checked before it has to choose again: whoever is there and does not
// know of it is left alone.
const maxTries = 50

// maxMissed is how often a peer that checks from elsewhere may not answer where it has been until we follow it.
const maxMissed = 5

// tend makes the checks that are due: of an address that has not answered yet, and of a peer that has been
// quiet (RFC 7675).
func (l *link) tend(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if c := l.candidate; c.address != nil {
		l.check(c.session, c.address)
		if l.tries++; l.tries == maxTries {
			l.candidate = candidate{}
		}
	}
	remote := l.remote.Load()
	switch {
	case remote == nil:
	case l.rival != nil && l.missed == maxMissed:
		l.settle(l.current, l.rival)
	case l.rival != nil || l.silence(now) > l.port.timing.keepalive:
		l.missed++
		l.check(l.current, remote)
	case l.probes.Load() && now.Sub(l.probed) >= probeEvery:
		l.probed = now
		l.check(l.current, remote)
	}
}

// lose forgets an address that cannot be used any more. If the peer was there, it may be where it was before.
func (l *link) lose(from netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := func(a *address) bool { return a.AddrPort == from }
	l.known = slices.DeleteFunc(l.known, gone)
	if l.rival != nil && gone(l.rival) {
		l.rival = nil
	}
	if a := l.candidate.address; a != nil && gone(a) {
		l.candidate = candidate{}
	}
	if remote := l.remote.Load(); remote != nil && gone(remote) {
		if a := l.proved(); a != nil {
			l.settle(l.current, a)
		}
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
