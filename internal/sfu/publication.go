package sfu

import (
	"context"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// Publication is a peer that sends: at most one audio and one video track, the
// latter in up to three layers.
type Publication struct {
	Peer
	audio, video *track // nil when not agreed on
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
	registry, err := e.feedback()
	if err != nil {
		return nil, "", err
	}
	p := &Publication{}
	skew := &skew{}
	for i := range o.sections {
		t := newTrack(&o.sections[i], skew, e.timing.dead)
		t.changed, t.count = p.changed, e.counters.forwarded
		if t.kind == webrtc.RTPCodecTypeAudio {
			p.audio = t
		} else {
			p.video = t
		}
	}
	answer, err := e.connect(ctx, o, n, p, &p.Peer, registry, func(pc *webrtc.PeerConnection) error {
		pc.OnTrack(p.incoming)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return p, answer, nil
}

// settlePublisher chooses the formats in which the publisher is to send.
func (o *offer) settlePublisher() error {
	for i := range o.sections {
		s := &o.sections[i]
		var ok bool
		if s.kind == webrtc.RTPCodecTypeAudio {
			if s.codec, ok = first(s.offered, webrtc.MimeTypeOpus); !ok {
				return refuse(NoAudioCodec, "audio needs Opus")
			}
		} else if s.codec, ok = chooseVideo(s.offered); !ok {
			return refuse(NoVideoCodec, "video needs H.264 with packetization-mode=1, or VP8")
		}
	}
	o.settleExtensions()
	return nil
}

// feedback sets up what a publisher hears from us: NACKs for what is missing, receiver reports, and
// arrival times for its bandwidth estimation.
func (e *Engine) feedback() (*interceptor.Registry, error) {
	r := &interceptor.Registry{}
	nacks, err := nack.NewGeneratorInterceptor(nack.GeneratorMaxNacksPerPacket(10), nack.WithGeneratorLoggerFactory(logs{e.log}))
	if err != nil {
		return nil, err
	}
	reports, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(logs{e.log}))
	if err != nil {
		return nil, err
	}
	arrivals, err := twcc.NewSenderInterceptor(twcc.WithLoggerFactory(logs{e.log}))
	if err != nil {
		return nil, err
	}
	r.Add(nacks)
	r.Add(reports)
	r.Add(arrivals)
	return r, nil
}

// Kinds tells which tracks were agreed on.
func (p *Publication) Kinds() (audio, video bool) { return p.audio != nil, p.video != nil }

func (p *Publication) track(kind webrtc.RTPCodecType) *track {
	if kind == webrtc.RTPCodecTypeAudio {
		return p.audio
	}
	return p.video
}

// incoming begins to read a stream that the transport has found.
func (p *Publication) incoming(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	t := p.track(remote.Kind())
	if t == nil {
		return
	}
	l := t.layer(remote.RID())
	if l == nil || l.taken.Swap(true) {
		return
	}
	l.ssrc.Store(uint32(remote.SSRC()))
	p.flowing()
	p.work(func() { l.read(remote) })
	p.work(func() { l.readReports(receiver) })
}

func (p *Publication) connected() {}

func (p *Publication) closed() {}

// look sends the key frame requests that are due and reviews the layers.
func (p *Publication) look(now time.Time) time.Duration {
	next := p.engine.timing.dead / 4
	if p.video == nil {
		return time.Hour
	}
	p.video.look(now)
	for _, l := range p.video.layers {
		if !l.alive(now, p.engine.timing.dead) {
			continue
		}
		due, wait := l.plea.due(now)
		if due {
			p.requestKeyFrame(l)
		}
		if wait > 0 {
			next = min(next, wait)
		}
	}
	return next
}

func (p *Publication) requestKeyFrame(l *layer) {
	p.engine.counters.keyFrameRequests.Add(1)
	if err := p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: l.ssrc.Load()}}); err != nil {
		p.engine.log.Debug("key frame request", "error", err)
	}
}

// attach and detach let an outlet listen to the track of its kind, if there is one.
func (p *Publication) attach(o *outlet) {
	if t := p.track(o.kind); t != nil {
		t.add(o, time.Now())
	}
}

func (p *Publication) detach(o *outlet) {
	if t := p.track(o.kind); t != nil {
		t.remove(o)
	}
}
