package sfu

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// restartTimeout bounds an ICE restart. Host candidates are known at once.
const restartTimeout = 5 * time.Second

// Patch adds remote candidates or, when f has other credentials than those in use, restarts ICE
// (RFC 9725, section 4.3). The answer to candidates is empty; to a restart it holds our new credentials and
// all candidates, and ETag has changed. Candidates that are of no use are dropped silently.
// Errors: ErrRestartUnsupported, the old ICE session going on; ErrClosed.
func (p *Peer) Patch(f Fragment) (Fragment, error) {
	p.negotiation.Lock()
	defer p.negotiation.Unlock()
	select {
	case <-p.closing:
		return Fragment{}, ErrClosed
	default:
	}
	if f.Ufrag == "" || f.Ufrag == p.offer.ufrag && f.Pwd == p.offer.pwd {
		p.addCandidates(f.Candidates)
		return Fragment{}, nil
	}
	if f.Ufrag == p.offer.ufrag || f.Pwd == p.offer.pwd || !credentials(f.Ufrag, f.Pwd) {
		return Fragment{}, fmt.Errorf("%w: both credentials must be new", ErrRestartUnsupported)
	}
	return p.restart(f)
}

// addCandidates trickles. p.negotiation is held, or nobody else knows p yet.
func (p *Peer) addCandidates(candidates []string) {
	for _, c := range candidates {
		if p.candidates >= maxCandidates {
			return
		}
		c = strings.TrimPrefix(c, "candidate:")
		if !usable(c) {
			continue
		}
		p.candidates++
		if err := p.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c}); err != nil {
			p.engine.log.Debug("remote candidate dropped", "error", err)
		}
	}
}

// restart offers the stack the old offer with new credentials. p.negotiation is held.
func (p *Peer) restart(f Fragment) (Fragment, error) {
	if !p.up.Load() {
		return Fragment{}, fmt.Errorf("%w: the peer was never connected", ErrRestartUnsupported)
	}
	p.offer.ufrag, p.offer.pwd = f.Ufrag, f.Pwd
	ctx, cancel := context.WithTimeout(context.Background(), restartTimeout)
	defer cancel()
	answer, err := p.negotiate(ctx, p.offer.sdp(p.undeclared()))
	if err != nil {
		return Fragment{}, fmt.Errorf("sfu: ICE restart: %w", err)
	}
	p.candidates = 0
	p.addCandidates(f.Candidates)
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
