package sfu

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// Publication is a peer that sends: at most one audio and one video track, the
// latter in up to three layers.
type Publication struct {
	Peer
	audio, video *track // nil when not agreed on

	// Owned by the peer's goroutine.
	layers      []*layer // of all tracks, audio first
	sources     []source
	extensions  extensions
	ssrc        uint32 // as the sender of feedback
	arrivals    *twcc.Recorder
	arrivalsDue time.Time
	guest       bool // the port's reader forwards
	reportDue   time.Time
	reading     reading
}

// source is what is known of an incoming SSRC.
type source struct {
	ssrc  uint32
	layer *layer // nil: of no use
	again bool   // packets sent again (RFC 4588)
}

// Publish answers the offer of a peer that wants to send (RFC 9725).
// The answer is complete. ctx bounds only the making of the answer.
// Errors: *OfferError, ErrTooMany, ErrClosed, or ctx's.
func (e *Engine) Publish(ctx context.Context, offer string, n Notify) (_ *Publication, _ string, err error) {
	defer e.survive(&err)
	o, err := readOffer(offer, sending)
	if err != nil {
		return nil, "", err
	}
	if err := o.settlePublisher(); err != nil {
		return nil, "", err
	}
	p := &Publication{ssrc: rand.Uint32() | 1, extensions: o.extensions()}
	p.arrivals = twcc.NewRecorder(p.ssrc)
	skew := &skew{}
	for i := range o.sections {
		t := newTrack(&o.sections[i], e.port, skew, e.timing.dead)
		t.changed, t.count = p.changed, e.counters.forwarded
		if t.kind == audio {
			p.audio = t
		} else {
			p.video = t
		}
	}
	for _, t := range []*track{p.audio, p.video} {
		if t != nil {
			p.layers = append(p.layers, t.layers...)
		}
	}
	answer, err := e.connect(ctx, o, n, p, &p.Peer, p.serve)
	if err != nil {
		return nil, "", err
	}
	p.link.sends = true
	go p.run()
	return p, answer, nil
}

// settlePublisher chooses the formats in which the publisher is to send.
func (o *offer) settlePublisher() error {
	for i := range o.sections {
		s := &o.sections[i]
		var ok bool
		if s.kind == audio {
			if s.codec, ok = first(s.offered, mimeOpus); !ok {
				return refuse(NoAudioCodec, "audio needs Opus")
			}
		} else if s.codec, ok = chooseVideo(s.offered); !ok {
			return refuse(NoVideoCodec, "video needs H.264 with packetization-mode=1, or VP8")
		}
		s.codec.without(remb)
	}
	o.settleExtensions()
	return nil
}

// Kinds tells which tracks were agreed on.
func (p *Publication) Kinds() (audio, video bool) { return p.audio != nil, p.video != nil }

func (p *Publication) track(k kind) *track {
	if k == audio {
		return p.audio
	}
	return p.video
}

// rtp takes one packet on its way: to its layer, which will deliver it.
func (p *Publication) rtp(b []byte, a arrival) {
	ssrc := binary.BigEndian.Uint32(b[8:])
	if seq := extensionOf(b, p.extensions.transport); len(seq) >= 2 {
		p.arrivals.Record(ssrc, binary.BigEndian.Uint16(seq), a.at.UnixMicro())
	}
	var in packet
	if in.parse(b) != nil {
		return
	}
	s := p.find(ssrc, b)
	if s == nil || s.layer == nil {
		return
	}
	in.at = a.at
	l, payloadType := s.layer, b[1]&0x7f
	switch {
	case !s.again && payloadType == l.track.codec.payload:
		l.reception.note(in.seq, in.ts, a.at)
		l.meter.note(l.track.codec.mime, &in, len(b))
		l.take(&in, len(b))
	case s.again && payloadType == l.track.codec.rtx && len(in.payload) > 2:
		in.seq, in.payload = binary.BigEndian.Uint16(in.payload), in.payload[2:]
		l.reception.found(in.seq)
		l.meter.note(l.track.codec.mime, &in, len(b))
		l.take(&in, len(b))
	default:
		return // a payload type that was not agreed on, or a probe
	}
	p.flowing()
}

// find tells what a stream is; nil when that is not known yet.
func (p *Publication) find(ssrc uint32, b []byte) *source {
	for i := range p.sources {
		if p.sources[i].ssrc == ssrc {
			return &p.sources[i]
		}
	}
	l, again := p.identify(ssrc, b)
	if l == nil || !again && l.taken {
		return nil
	}
	if !again {
		l.taken = true
		l.ssrc.Store(ssrc)
	}
	p.sources = append(p.sources, source{ssrc, l, again})
	return &p.sources[len(p.sources)-1]
}

// identify recognises a new stream: by what the offer declared, by the names in its packets, or by
// the payload type.
func (p *Publication) identify(ssrc uint32, b []byte) (l *layer, again bool) {
	for _, t := range []*track{p.audio, p.video} {
		switch {
		case t == nil:
		case ssrc == t.ssrc && t.ssrc != 0:
			return t.layers[0], false
		case ssrc == t.rtxSSRC && t.rtxSSRC != 0:
			return t.layers[0], true
		}
	}
	if p.video != nil && len(p.video.layers) > 0 && p.video.layers[0].rid != "" {
		if rid := extensionOf(b, p.extensions.rid); rid != nil {
			return p.video.layer(string(rid)), false
		}
		if rid := extensionOf(b, p.extensions.repaired); rid != nil {
			return p.video.layer(string(rid)), true
		}
	}
	payloadType := b[1] & 0x7f
	for _, t := range []*track{p.audio, p.video} {
		switch {
		case t == nil || t.layers[0].rid != "":
		case payloadType == t.codec.payload:
			return t.layers[0], false
		case payloadType == t.codec.rtx && t.codec.rtx != 0:
			return t.layers[0], true
		}
	}
	return nil, false
}

// rtcp takes the publisher's reports.
func (p *Publication) rtcp(b []byte, a arrival) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return
	}
	for _, packet := range packets {
		r, ok := packet.(*rtcp.SenderReport)
		if !ok {
			continue
		}
		for _, s := range p.sources {
			if s.ssrc == r.SSRC && !s.again {
				s.layer.clock.report(r.NTPTime, r.RTPTime, s.layer.track.skew, a.at)
				s.layer.reception.reported(r.NTPTime, a.at)
			}
		}
	}
}

// deliver forwards what has come, audio first, and what comes while it does.
func (p *Publication) deliver() error {
	b := p.engine.port.batch()
	defer b.release()
	for _, l := range p.layers {
		l.meet(time.Now())
	}
	for pulled := 0; ; {
		more := false
		for _, l := range p.layers {
			if len(l.run) > 0 && l.step(b) {
				more = true
			}
			pulled = max(pulled, len(l.run))
		}
		if !more {
			return nil
		}
		if pulled >= maxRun {
			continue
		}
		if p.guest && p.engine.port.look(p.link) {
			return nil // the rest is for the peer's goroutine, which look has woken
		}
		if err := p.link.receive(p); err != nil {
			return err
		}
	}
}

func (p *Publication) connected() {}

func (p *Publication) closed() {}

// look sends the feedback and the key frame requests that are due and reviews the layers.
func (p *Publication) look(now time.Time) time.Duration {
	next := min(p.feedback(now), p.measure(now))
	if p.video == nil {
		return next
	}
	if len(p.video.layers) > 1 {
		next = min(next, p.engine.timing.dead/4)
		p.video.look(now)
	}
	for _, l := range p.video.layers {
		if !l.alive(now, p.engine.timing.dead) {
			continue
		}
		due, wait := l.plea.due(now)
		if due {
			p.engine.counters.keyFrameRequests.Add(1)
			p.send(&rtcp.PictureLossIndication{SenderSSRC: p.ssrc, MediaSSRC: l.ssrc.Load()})
		}
		if wait > 0 {
			next = min(next, wait)
		}
	}
	return next
}

// attach and detach let an outlet listen to the track of its kind, if there is one.
func (p *Publication) attach(o *outlet) {
	if t := p.track(o.kind); t != nil {
		t.add(o, time.Now())
	}
}

// turn gives an outlet that may listen another wish.
func (p *Publication) turn(o *outlet, w wish) {
	if t := p.track(o.kind); t != nil {
		t.turn(o, w, time.Now())
	} else {
		o.wish = w
	}
}

func (p *Publication) detach(o *outlet) {
	if t := p.track(o.kind); t != nil {
		t.remove(o)
	}
}
