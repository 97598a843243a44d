package sfu

import (
	"crypto/rand"
	"fmt"
)

// Patch takes trickled candidates or, when f has other credentials than those in use, restarts ICE
// (RFC 9725, section 4.3). The answer to candidates is empty; to a restart it holds our new credentials and
// all candidates, and ETag has changed. Errors: ErrRestartUnsupported, the old ICE session going on; ErrClosed.
//
// The candidates of the other side are never used. It checks our address first, and where
// its checks come from is where it is (RFC 8445, section 7.3.1.3). Sending to whatever address it
// names would let it aim at third parties, and claim addresses of other peers on the shared socket.
func (p *Peer) Patch(f Fragment) (Fragment, error) {
	p.negotiation.Lock()
	defer p.negotiation.Unlock()
	select {
	case <-p.closing:
		return Fragment{}, ErrClosed
	default:
	}
	if f.Ufrag == "" || f.Ufrag == p.offer.ufrag && f.Pwd == p.offer.pwd {
		return Fragment{}, nil
	}
	if f.Ufrag == p.offer.ufrag || f.Pwd == p.offer.pwd || !usable(credentials{f.Ufrag, f.Pwd}) {
		return Fragment{}, fmt.Errorf("%w: both credentials must be new", ErrRestartUnsupported)
	}
	return p.restart(f)
}

// restart begins a new ICE session. The old one lasts until the peer uses the new. p.negotiation is held.
func (p *Peer) restart(f Fragment) (Fragment, error) {
	if !p.up.Load() {
		return Fragment{}, fmt.Errorf("%w: the peer was never connected", ErrRestartUnsupported)
	}
	local, ok := p.link.restart(credentials{f.Ufrag, f.Pwd})
	if !ok {
		return Fragment{}, ErrClosed
	}
	p.offer.ufrag, p.offer.pwd = f.Ufrag, f.Pwd
	p.mu.Lock()
	p.etag = rand.Text()
	p.mu.Unlock()
	tag := &p.offer.sections[0]
	name := tag.name()
	return Fragment{
		Ufrag: local.ufrag, Pwd: local.pwd, Candidates: p.engine.port.candidates(), EndOfCandidates: true,
		Media: name.String(), MID: tag.mid, Options: "trickle",
	}, nil
}
