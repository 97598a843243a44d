package sfu

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
)

// What peers send and receive is measured by the goroutine that handles their packets anyway: it counts in memory
// that nobody else touches, and once a second writes the result where others may read it.

const (
	readEvery   = time.Second     // rates are of so long a time
	loadWindow  = 5 * time.Second // what a Load sums up
	silentAfter = 5 * time.Second // without a packet, audio or video counts as stopped
)

// Progress is how far a peer's connection has come.
type Progress int

const (
	Unreached  Progress = iota // no authentic ICE check has come from the peer
	Checking                   // checks come, none of ours was answered from an address to use
	Handshakes                 // ICE has found the peer, DTLS has not finished
	Refused                    // the DTLS handshake has failed
	Connected
)

// PeerStats are about a peer's transport.
type PeerStats struct {
	Progress Progress
	Made     time.Time     // when its offer was answered
	Up       time.Time     // when it was connected; zero if it was not yet
	Heard    time.Time     // when something authentic came last; Made if nothing did
	RTT      time.Duration // 0 while not known
}

// StreamStats are about one RTP stream, as of at most a few seconds ago. Rates are of the last second.
type StreamStats struct {
	Kind      string // "audio" or "video"
	Codec     string // "opus", "H264" or "VP8"
	Layer     string // the simulcast layer: hi, mid or low; empty without layers, or when nothing is shown
	Bitrate   int    // bits per second, RTP headers included, retransmissions too
	Packets   uint64
	Lost      uint64        // on the way, whether or not they were sent again
	Loss      float64       // share of the packets lost lately, 0 to 1
	Jitter    time.Duration // RFC 3550, section 6.4.1
	LastAt    time.Time     // when a packet came or went last; zero if none ever did
	FrameRate float64       // of video that comes in, frames per second

	// Of a publication's video.
	Width, Height int       // 0 while not known
	KeyFrameAt    time.Time // when a key frame began last; zero if none ever did

	// Of what a subscriber is sent.
	Awaited          string // the layer that is to be shown from its next key frame on
	Waits            bool   // for a key frame
	Reported         bool   // the receiver has reported: Lost, Loss and Jitter are its words
	Retransmitted    uint64 // packets sent again because it missed them
	KeyFrameRequests uint64 // of the receiver's
}

// PublicationStats are about what a publisher sends. There is one stream for each layer.
type PublicationStats struct {
	PeerStats
	Streams []StreamStats
}

// SubscriptionStats are about what a subscriber is sent.
type SubscriptionStats struct {
	PeerStats
	Attached  bool // to a publication
	AudioOnly bool
	Way       Way
	Streams   []StreamStats
}

// Load is what a publication sent within a window of five seconds.
type Load struct {
	Bitrate       int // all layers and audio together, headers and retransmissions included
	Width, Height int // of the largest layer; 0 while not known
	BFrames       bool
}

// Taken is what a viewer's subscriptions took together within a window of five seconds.
type Taken struct {
	Bitrate int  // of audio and of the layers shown; if the limit forbids every further layer, with the next
	Limited bool // this subscription's video waits because the limit has no room for it
}

// meter measures one incoming stream.
type meter struct {
	bytes, frames  int // since the last reading
	stamp          uint32
	begun          bool
	picture        picture
	expected, came int64 // at the last reading
}

// note takes a packet on its way. It is called for every one.
func (m *meter) note(mime string, p *packet, size int) {
	m.bytes += size
	if mime == mimeOpus {
		return
	}
	if !m.begun || int32(p.ts-m.stamp) > 0 {
		m.frames, m.stamp, m.begun = m.frames+1, p.ts, true
	}
	m.picture.read(mime, p.payload)
}

// reading is what others may see of a peer's streams.
type reading struct {
	at, load time.Time // when it was made, when the window began
	bytes    int       // in the window
	wants    float64   // bits a second, summed up over the looks in the window
	looks    int
	silent   [2]bool // audio, video: as was told

	mu      sync.Mutex
	streams []StreamStats
	paces   []pace // of a publication's streams
	way     Way    // of a subscription
}

// pace is how fast a stream is said to come: what was measured once, until that has halved or doubled. Who is told of
// changes is not to be told every second.
type pace struct{ bitrate, frames float64 }

func (p *pace) follow(s *StreamStats) {
	steady := func(told *float64, now float64) {
		if now < *told/2 || now > *told*2 {
			*told = now
		}
	}
	steady(&p.bitrate, float64(s.Bitrate))
	steady(&p.frames, s.FrameRate)
}

func (r *reading) copy() []StreamStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.streams)
}

// measure makes a reading when it is due, tells what follows from it, and how long until the next.
func (p *Publication) measure(now time.Time) time.Duration {
	r := &p.reading
	if !p.up.Load() {
		return readEvery
	}
	if r.at.IsZero() {
		r.at, r.load = now, now
	}
	if r.silent[0] || r.silent[1] {
		p.listen(now)
	}
	elapsed := now.Sub(r.at)
	if elapsed < readEvery {
		return readEvery - elapsed
	}
	r.at = now
	p.read(elapsed)
	p.listen(now)
	if elapsed = now.Sub(r.load); elapsed >= loadWindow {
		p.weigh(elapsed)
		r.load, r.bytes = now, 0
	}
	return readEvery
}

// read writes down what came in since the last time.
func (p *Publication) read(elapsed time.Duration) {
	r := &p.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams == nil {
		r.streams, r.paces = make([]StreamStats, len(p.layers)), make([]pace, len(p.layers))
	}
	for i, l := range p.layers {
		r.bytes += l.meter.bytes
		l.read(&r.streams[i], elapsed)
		r.paces[i].follow(&r.streams[i])
	}
}

func (l *layer) read(s *StreamStats, elapsed time.Duration) {
	m, in := &l.meter, &l.reception
	*s = StreamStats{
		Kind: string(l.track.kind), Codec: l.track.codec.name(), Layer: l.label,
		Bitrate: perSecond(8*m.bytes, elapsed), Packets: uint64(in.came),
		Jitter: ticks(in.jitter, l.track.codec.clock), LastAt: unixNano(l.heard.Load()),
	}
	if in.begun {
		expected := in.highest - in.first + 1
		s.Lost = uint64(max(expected-in.came, 0))
		if due := expected - m.expected; due > 0 {
			s.Loss = max(0, float64(due-(in.came-m.came))/float64(due))
		}
		m.expected, m.came = expected, in.came
	}
	if l.track.kind == video {
		s.FrameRate = float64(m.frames) / elapsed.Seconds()
		s.Width, s.Height = m.picture.width, m.picture.height
		s.KeyFrameAt = l.key.at
	}
	m.bytes, m.frames = 0, 0
}

// supply is what is sent at present, as of the last reading.
func (p *Publication) supply() (s supply) {
	r := &p.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.streams {
		if rate := r.streams[i].Bitrate; p.layers[i].track.kind == audio {
			s.audio += rate
		} else {
			s.layers[s.count] = rate
			s.count++
		}
	}
	return s
}

// describe fills in what was read of a video layer last.
func (p *Publication) describe(layer int, l *Layer) {
	r := &p.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := len(r.streams) - len(p.video.layers) + layer; i >= 0 && i < len(r.streams) { // video comes last
		l.Width, l.Height = r.streams[i].Width, r.streams[i].Height
		l.Bitrate, l.FrameRate = int(r.paces[i].bitrate), r.paces[i].frames
	}
}

// weigh tells what the publication sent in a window.
func (p *Publication) weigh(elapsed time.Duration) {
	if p.notify.Load == nil {
		return
	}
	load := Load{Bitrate: perSecond(8*p.reading.bytes, elapsed)}
	for _, l := range p.layers {
		v := &l.meter.picture
		load.BFrames = load.BFrames || v.reorders
		if v.width*v.height > load.Width*load.Height {
			load.Width, load.Height = v.width, v.height
		}
	}
	p.notify.Load(load)
}

// listen tells when audio or video has fallen silent, or is heard again. What was not agreed on is not missed.
func (p *Publication) listen(now time.Time) {
	r := &p.reading
	was := r.silent
	for i, t := range []*track{p.audio, p.video} {
		if t == nil {
			continue
		}
		last := p.upAt.Load()
		for _, l := range t.layers {
			last = max(last, l.heard.Load())
		}
		r.silent[i] = now.UnixNano()-last >= int64(silentAfter)
	}
	if r.silent != was && p.notify.Silent != nil {
		p.notify.Silent(r.silent[0], r.silent[1])
	}
}

// Stats tells how the publication fares.
func (p *Publication) Stats() PublicationStats {
	return PublicationStats{PeerStats: p.stats(), Streams: p.reading.copy()}
}

// toll is what one outlet has sent, and what its receiver said.
type toll struct {
	packets   uint32 // as of the last reading
	octets    uint32
	total     uint64
	resent    atomic.Uint64
	bytes     atomic.Uint64 // of packets sent again
	bytesThen uint64
	requests  atomic.Uint64
	last      time.Time
	rate      int     // bits per second, lately
	arrives   float64 // of them, by the last report
	report    rtcp.ReceptionReport
	reported  bool
}

// measure writes down what was sent since the last time. It is called once a second.
func (s *Subscription) measure(now time.Time) {
	r := &s.reading
	elapsed := now.Sub(r.at)
	if r.at.IsZero() {
		elapsed = reportInterval
	}
	r.at = now
	way, wants := s.outlook()
	s.weigh(way, wants, now)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.way = way
	if r.streams == nil {
		r.streams = make([]StreamStats, len(s.outlets))
	}
	for i, o := range s.outlets {
		o.read(&r.streams[i], now, elapsed)
	}
}

// weigh tells at the end of a window what the viewer's subscriptions took.
func (s *Subscription) weigh(w Way, wants float64, now time.Time) {
	r := &s.reading
	if r.load.IsZero() {
		r.load = now
	}
	r.wants, r.looks = r.wants+wants, r.looks+1
	if now.Sub(r.load) < loadWindow {
		return
	}
	taken := Taken{Bitrate: int(r.wants / float64(r.looks)), Limited: w.Paused && w.Limited}
	r.load, r.wants, r.looks = now, 0, 0
	if s.notify.Taken != nil {
		s.notify.Taken(taken)
	}
}

func (o *outlet) read(s *StreamStats, now time.Time, elapsed time.Duration) {
	o.mu.Lock()
	packets, octets := o.packets, o.octets
	current, target := o.current, o.target
	o.mu.Unlock()
	t := &o.toll
	sent, again := packets-t.packets, t.bytes.Load()
	size := int(octets-t.octets) + rtpHeader*int(sent) + int(again-t.bytesThen)
	if sent > 0 {
		t.last = now
	}
	t.packets, t.octets, t.bytesThen, t.total = packets, octets, again, t.total+uint64(sent)
	t.rate = perSecond(8*size, elapsed)
	*s = StreamStats{
		Kind: string(o.kind), Codec: o.codec.name(), Bitrate: t.rate, Packets: t.total, LastAt: t.last,
		Retransmitted: t.resent.Load(), KeyFrameRequests: t.requests.Load(), Waits: target != nil,
		Reported: t.reported, Lost: uint64(t.report.TotalLost), Loss: float64(t.report.FractionLost) / 256,
		Jitter: ticks(float64(t.report.Jitter), o.codec.clock),
	}
	if current != nil {
		s.Layer = current.label
	}
	if target != nil {
		s.Awaited = target.label
	}
}

// hear takes a report of the receiver's (RFC 3550, section 6.4.2).
func (s *Subscription) hear(r *rtcp.ReceiverReport, now time.Time) {
	for _, report := range r.Reports {
		for _, o := range s.outlets {
			if o.out.ssrc != report.SSRC {
				continue
			}
			if s.tracking.ledger == nil {
				s.count(o, &report)
			}
			o.toll.report, o.toll.reported = report, true
			if report.LastSenderReport != 0 {
				trip := int32(uint32(toNTP(now)>>16) - report.LastSenderReport - report.Delay)
				s.rtt.Store(int64(max(0, trip)) * int64(time.Second) / 65536)
			}
		}
	}
}

// maxCounted is more packets than there are between two reports.
const maxCounted = 20_000

// count has the way judged by what a report says is lost of the packets since the last one.
func (s *Subscription) count(o *outlet, r *rtcp.ReceptionReport) {
	all := int(r.LastSequenceNumber - o.toll.report.LastSequenceNumber)
	if !o.toll.reported || all <= 0 || all > maxCounted {
		return // the first one, an old one, or nonsense
	}
	lost := all * int(r.FractionLost) / 256
	o.toll.arrives = float64(o.toll.rate) * float64(all-lost) / float64(all)
	sum := 0.0
	for _, o := range s.outlets {
		sum += o.toll.arrives
	}
	s.allowance.counted(s.share, lost, all, sum)
}

// Stats tells how the subscription fares.
func (s *Subscription) Stats() SubscriptionStats {
	s.sourceMu.Lock()
	attached, audioOnly := s.src != nil, s.wish.none
	s.sourceMu.Unlock()
	stats := SubscriptionStats{PeerStats: s.stats(), Attached: attached, AudioOnly: audioOnly, Streams: s.reading.copy()}
	s.reading.mu.Lock()
	defer s.reading.mu.Unlock()
	stats.Way = s.reading.way
	return stats
}

// stats tells how the peer fares.
func (p *Peer) stats() PeerStats {
	s := PeerStats{Made: p.made, Up: unixNano(p.upAt.Load()), Heard: unixNano(p.link.heard.Load()), RTT: time.Duration(p.rtt.Load())}
	s.Progress = p.link.progress()
	if p.up.Load() {
		s.Progress = Connected
	}
	if s.RTT == 0 {
		s.RTT = time.Duration(p.link.trip.Load())
	}
	return s
}

// progress tells how far the link has come.
func (l *link) progress() Progress {
	switch linkStage(l.stage.Load()) {
	case linkUp:
		if l.remote.Load() != nil {
			return Connected
		}
	case linkLost:
		return Refused
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.remote.Load() != nil || l.proved() != nil:
		return Handshakes
	case len(l.known) > 0:
		return Checking
	}
	return Unreached
}

func perSecond(n int, elapsed time.Duration) int { return int(float64(n) / elapsed.Seconds()) }

func ticks(n float64, clock uint32) time.Duration {
	return time.Duration(n / float64(clock) * float64(time.Second))
}

// unixNano is the time of a stamp, the zero one of 0.
func unixNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
