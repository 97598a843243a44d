package sfu

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// SubscribeOptions say how a publication is to be received.
type SubscribeOptions struct {
	// StreamID is the msid stream id of all m-lines in the answer.
	StreamID string
	// AudioOnly keeps RTP off the video m-line.
	AudioOnly bool
	// Layer is the wanted video layer: "hi", "mid", "low" or a rid; "" leaves the choice to the engine.
	Layer string
	// Highest starts at the highest layer instead of the lowest.
	Highest bool
	// Viewer names who receives: what is known of the way to it, all of its subscriptions share, and Limit bounds all of them together. Nobody
	// shares with "".
	Viewer string
	// Limit is what all of the viewer may get, in bits a second; 0 is no bound. The latest one holds.
	Limit int
}

// Subscription is a peer that receives one publication at a time.
type Subscription struct {
	Peer
	outlets  []*outlet // by m-line
	reported time.Time // owned by the peer's goroutine, like scratch
	scratch  []byte
	reading  reading

	allowance *allowance
	share     *share // protected by the allowance, like tracking
	tracking  tracking

	sourceMu sync.Mutex // locked before the allowance
	wish     wish       // of video
	allowed  int        // the highest layer, from the lowest, as it was last granted; below 0 video waits
	live     bool       // connected and not closed
	started  bool       // with live: outlets may listen
	ended    bool
	src      *Publication
}

// Subscribe answers the offer of a peer that wants to receive src
// (draft-ietf-wish-whep). src may be nil: nothing is sent until Attach. Nothing is sent until Start either.
// Errors as for Publish.
func (e *Engine) Subscribe(ctx context.Context, offer string, src *Publication, opts SubscribeOptions, n Notify) (_ *Subscription, _ string, err error) {
	defer e.survive(&err)
	o, err := readOffer(offer, receiving)
	if err != nil {
		return nil, "", err
	}
	if err := o.settleSubscriber(src); err != nil {
		return nil, "", err
	}
	if !isToken(opts.StreamID, 64) {
		opts.StreamID = "publication"
	}
	o.stream = opts.StreamID
	s := &Subscription{src: src, wish: wish{layer: opts.Layer, none: opts.AudioOnly}}
	if opts.Highest || opts.Layer != "" {
		s.allowed = topRank
	}
	s.share = &share{granted: s.allowed, wake: s.changed}
	for i := range o.sections {
		w := wish{}
		if o.sections[i].kind == video {
			w = s.effective()
		}
		s.outlets = append(s.outlets, newOutlet(&o.sections[i], w, &e.counters, s.flowing))
	}
	s.number(o)
	answer, err := e.connect(ctx, o, n, s, &s.Peer, nil)
	if err != nil {
		return nil, "", err
	}
	s.allowance = e.allow(s.share, opts)
	for _, o := range s.outlets {
		o.out.link, o.rtx.link = s.link, s.link
	}
	go s.run()
	return s, answer, nil
}

// number gives what is sent transport-wide numbers where that is agreed on.
func (s *Subscription) number(o *offer) {
	for i := range o.sections {
		id := o.sections[i].numbering()
		if id == 0 {
			continue
		}
		if s.tracking.ledger == nil {
			s.tracking.ledger = newLedger(time.Now())
		}
		for _, out := range []*stream{&s.outlets[i].out, &s.outlets[i].rtx} {
			out.ledger, out.extension = s.tracking.ledger, id
		}
		s.share.pads = s.share.pads || s.outlets[i].rtx.ssrc != 0
	}
}

// settleSubscriber chooses the formats in which the publication is to be sent.
func (o *offer) settleSubscriber(src *Publication) error {
	for i := range o.sections {
		s := &o.sections[i]
		var ok bool
		switch {
		case s.kind == audio:
			if s.codec, ok = first(s.offered, mimeOpus); !ok {
				return refuse(NoAudioCodec, "audio needs Opus")
			}
		case src != nil && src.video != nil:
			if s.codec, ok = chooseLike(s.offered, src.video.codec); !ok {
				return refuse(NoVideoCodec, "the publication is sent as %s, which is not offered", src.video.codec.mime)
			}
		default:
			if s.codec, ok = chooseVideo(s.offered); !ok {
				return refuse(NoVideoCodec, "video needs H.264 with packetization-mode=1, or VP8")
			}
		}
		s.settleNumbering()
	}
	o.number()
	return nil
}

// number gives the streams that we send their SSRCs.
func (o *offer) number() {
	var taken []uint32
	fresh := func() uint32 {
		for {
			if n := rand.Uint32(); n != 0 && !slices.Contains(taken, n) {
				taken = append(taken, n)
				return n
			}
		}
	}
	for i := range o.sections {
		s := &o.sections[i]
		if s.ssrc, s.rtx = fresh(), 0; s.codec.rtx != 0 {
			s.rtx = fresh()
		}
	}
}

// Start lets RTP flow, as soon as the peer is connected and attached. Its owner calls it when all is on record that
// must be known before anything is sent. Calling it again does nothing.
func (s *Subscription) Start() {
	s.sourceMu.Lock()
	defer s.sourceMu.Unlock()
	if !s.started {
		s.started = true
		s.listen()
	}
}

func (s *Subscription) connected() {
	s.sourceMu.Lock()
	defer s.sourceMu.Unlock()
	s.live = true
	s.listen()
}

func (s *Subscription) closed() {
	s.engine.disallow(s.allowance, s.share)
	s.sourceMu.Lock()
	defer s.sourceMu.Unlock()
	s.unlisten()
	s.live, s.ended, s.src = false, true, nil
}

// listen connects the outlets with the source. s.sourceMu is held.
func (s *Subscription) listen() {
	if !s.listening() {
		return
	}
	for _, o := range s.outlets {
		s.src.attach(o)
	}
}

// listening tells whether the outlets listen to the source. s.sourceMu is held.
func (s *Subscription) listening() bool { return s.live && s.started && s.src != nil }

// unlisten is the opposite of listen. s.sourceMu is held.
func (s *Subscription) unlisten() {
	if s.src == nil {
		return
	}
	for _, o := range s.outlets {
		s.src.detach(o)
	}
}

// Attach goes on with src on the same m-lines: the same SSRCs, sequence
// numbers and timestamps that continue; video from the next key frame on, which is asked for.
// Errors: *OfferError when src is not sent in the format agreed on with the subscriber; ErrClosed
// when the subscription has ended. A nil src is a Detach.
func (s *Subscription) Attach(src *Publication) error {
	s.sourceMu.Lock()
	defer s.sourceMu.Unlock()
	if s.ended {
		return ErrClosed
	}
	if err := s.fits(src); err != nil {
		return err
	}
	s.unlisten()
	s.src = src
	for _, o := range s.outlets {
		if o.kind == video {
			o.wish = s.effective()
		}
	}
	s.listen()
	return nil
}

func (s *Subscription) fits(src *Publication) error {
	if src == nil {
		return nil
	}
	for _, o := range s.outlets {
		if t := src.track(o.kind); t != nil && t.codec.mime != o.codec.mime {
			return refuse(NoVideoCodec, "the publication is sent as %s, the subscription is of %s", t.codec.mime, o.codec.mime)
		}
	}
	return nil
}

// Detach pauses RTP; the peer stays.
func (s *Subscription) Detach() {
	s.sourceMu.Lock()
	defer s.sourceMu.Unlock()
	s.unlisten()
	s.src = nil
}

const reportInterval = time.Second

// look adapts what is sent to the way, and sends sender reports once a second.
func (s *Subscription) look(now time.Time) time.Duration {
	next := s.adapt(now)
	if wait := s.reported.Add(reportInterval).Sub(now); wait > 0 {
		return min(wait, next)
	}
	s.reported = now
	s.measure(now)
	var reports []rtcp.Packet
	for _, o := range s.outlets {
		if r := o.report(now); r != nil {
			reports = append(reports, r)
		}
	}
	if len(reports) > 0 {
		if err := s.link.sendReports(reports...); err != nil {
			s.engine.log.Debug("sender reports", "error", err)
		}
	}
	return min(reportInterval, next)
}

// rtp throws away what a subscriber has no reason to send.
func (s *Subscription) rtp([]byte, arrival) {}

func (s *Subscription) deliver() error { return nil }

// rtcp serves the subscriber's feedback.
func (s *Subscription) rtcp(b []byte, a arrival) {
	for len(b) >= 4 {
		size := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if size > len(b) {
			return
		}
		s.take(b[:size], a)
		b = b[size:]
	}
}

// take serves one packet of a report, which may have several. Reports of what has arrived come often, so they are read without
// taking memory for it.
func (s *Subscription) take(b []byte, a arrival) {
	if b[1] == byte(rtcp.TypeTransportSpecificFeedback) && b[0]&0x1f == arrivalReport {
		s.track(b, a.at)
		return
	}
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return
	}
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.ReceiverEstimatedMaximumBitrate:
			if s.tracking.ledger == nil {
				s.allowance.told(s.share, float64(p.Bitrate))
			}
		case *rtcp.ReceiverReport:
			s.hear(p, a.at)
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest, *rtcp.TransportLayerNack:
			s.serve(p, a.at)
		}
	}
}

// serve does what the subscriber asks for. In a jam nothing is sent again: it would come too late, and make the jam last.
func (s *Subscription) serve(p rtcp.Packet, now time.Time) {
	waits := s.allowance.waits()
	if _, lost := p.(*rtcp.TransportLayerNack); lost && waits > hugeQueue*time.Microsecond {
		return
	}
	if s.scratch == nil {
		s.scratch = make([]byte, 2+slotSize)
	}
	batch := s.engine.port.batch()
	defer batch.release()
	for _, o := range s.outlets {
		if slices.Contains(p.DestinationSSRC(), o.out.ssrc) {
			o.trip = time.Duration(s.rtt.Load()) + waits // the round trip may have been measured before a jam
			o.serve(p, batch, s.scratch, now)
		}
	}
}
