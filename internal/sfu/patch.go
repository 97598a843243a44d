package sfu

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/pion/sdp/v3"
)

// restartTimeout bounds an ICE restart. Host candidates are known at once.
const restartTimeout = 5 * time.Second

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
	if f.Ufrag == p.offer.ufrag || f.Pwd == p.offer.pwd || !credentials(f.Ufrag, f.Pwd) {
		return Fragment{}, fmt.Errorf("%w: both credentials must be new", ErrRestartUnsupported)
	}
	return p.restart(f)
}

// restart offers the stack the old offer with new credentials. p.negotiation is held.
func (p *Peer) restart(f Fragment) (Fragment, error) {
	if !p.up.Load() {
		return Fragment{}, fmt.Errorf("%w: the peer was never connected", ErrRestartUnsupported)
	}
	ufrag, pwd := p.offer.ufrag, p.offer.pwd
	p.offer.ufrag, p.offer.pwd = f.Ufrag, f.Pwd
	ctx, cancel := context.WithTimeout(context.Background(), restartTimeout)
	defer cancel()
	answer, err := p.negotiate(ctx, p.offer.sdp(p.undeclared()))
	if err != nil {
		p.offer.ufrag, p.offer.pwd = ufrag, pwd
		return Fragment{}, fmt.Errorf("%w: %w", ErrRestartUnsupported, err)
	}
	p.mu.Lock()
	p.etag = rand.Text()
	p.mu.Unlock()
	return answerFragment(answer)
}

// undeclared lists the streams that were recognised by their payload type, by section. The stack
// would drop them in a renegotiation that does not mention them.
func (p *Peer) undeclared() map[string]uint32 {
	found := map[string]uint32{}
	for _, r := range p.pc.GetReceivers() {
		if t := r.Track(); t != nil && t.RID() == "" {
			if s := p.offer.section(t.Kind()); s != nil {
				found[s.mid] = uint32(t.SSRC())
			}
		}
	}
	return found
}

func answerFragment(answer string) (Fragment, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		return Fragment{}, fmt.Errorf("sfu: ICE restart: %w", err)
	}
	m := d.MediaDescriptions[0]
	f := Fragment{EndOfCandidates: true, Media: m.MediaName.String(), Options: "trickle"}
	f.MID, _ = m.Attribute("mid")
	f.Ufrag, _ = m.Attribute("ice-ufrag")
	f.Pwd, _ = m.Attribute("ice-pwd")
	for _, a := range m.Attributes {
		if a.Key == "candidate" && !secondComponent(a) {
			f.Candidates = append(f.Candidates, strings.TrimSpace(a.Value))
		}
	}
	return f, nil
}
