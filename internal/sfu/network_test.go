package sfu

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// BenchmarkNetworks has one publisher of three layers, and viewers behind networks that are bad, each in its own way, all at
// once for a while: what they see, and when, is the result. docs/performance.md has one.
//
//	go test -run '^$' -bench Networks -benchtime 1x ./internal/sfu
func BenchmarkNetworks(b *testing.B) {
	const span = 45 * time.Second
	networks := []struct {
		name  string
		way   way
		count int // of subscriptions of one viewer
	}{
		{"nothing wrong", way{rate: always(20e6)}, 1},
		{"5 % loss", way{rate: always(20e6), loss: 0.05}, 1},
		{"200 ms jitter", way{rate: always(20e6), jitter: 200 * time.Millisecond}, 1},
		{"300 kbit/s", way{rate: always(300e3)}, 1},
		{"400 kbit/s and 5 % loss", way{rate: always(400e3), loss: 0.05}, 1},
		{"3 Mbit/s, 300 kbit/s from 15 s to 25 s", way{rate: dip(15*time.Second, 25*time.Second, 3e6, 300e3)}, 1},
		{"100 kbit/s", way{rate: always(100e3)}, 1},
		{"2 Mbit/s, four subscriptions", way{rate: always(2e6)}, 4},
	}
	e := openEngine(b, Options{})
	pub := broadcast(b, e)
	all := make([][]*audience, len(networks))
	for i, n := range networks {
		n.way.delay, n.way.queue, n.way.dice = 25*time.Millisecond, time.Second, rand.New(rand.NewPCG(1, 2))
		r := &road{way: n.way, began: time.Now()}
		for range n.count {
			all[i] = append(all[i], watchFrom(b, e, pub, r, SubscribeOptions{Viewer: n.name}))
		}
	}
	for b.Loop() {
		time.Sleep(span) // what happens meanwhile is the result
	}
	for i, n := range networks {
		for _, a := range all[i] {
			b.Logf("%-39s %s", n.name, a.verdict())
		}
	}
}

// road is a way that several sockets share.
type road struct {
	mu    sync.Mutex
	way   way
	began time.Time
}

func (r *road) carry(size int) (time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.way.carry(time.Since(r.began), size)
}

// broadcast publishes three layers of about 200, 700 and 1700 kbit/s at 30 frames a second, and audio of 32.
func broadcast(t testing.TB, e *Engine, change ...func(*client)) *Publication {
	rids := []string{"low", "mid", "hi"}
	c := &camera{client: newClient(t), story: newStory()}
	for _, f := range change {
		f(c.client)
	}
	sender := c.addVideo(t, cameraOptions{mime: webrtc.MimeTypeH264, rids: rids})
	var err error
	c.audio, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", "camera")
	must(t, err)
	_, err = c.AddTransceiverFromTrack(c.audio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	must(t, err)
	pub, answer, err := e.Publish(t.Context(), c.offer(t), c.notify())
	must(t, err)
	c.accept(t, answer)
	var wants [3]atomic.Bool
	stop := make(chan struct{})
	var g sync.WaitGroup
	t.Cleanup(func() { close(stop); _ = c.GracefulClose(); g.Wait() })
	for i, rid := range rids {
		wants[i].Store(true)
		g.Go(func() {
			for {
				packets, _, err := sender.ReadSimulcastRTCP(rid)
				if err != nil {
					return
				}
				for _, p := range packets {
					if _, ok := p.(*rtcp.PictureLossIndication); ok {
						wants[i].Store(true)
					}
				}
			}
		})
	}
	wait(t, c.connected, "connection")
	g.Go(func() { c.film(sender, rids, &wants, stop) })
	wait(t, c.story.media, "media")
	return pub
}

// film writes frames of which every packet says: the layer, the frame, which packet of how many it is, and whether the frame is a key frame.
func (c *camera) film(sender *webrtc.RTPSender, rids []string, wants *[3]atomic.Bool, stop chan struct{}) {
	rates := []int{190_000, 690_000, 1_690_000}
	ticker := time.NewTicker(time.Second / 150)
	defer ticker.Stop()
	var seqs [3]uint16
	for n := uint32(0); ; n++ {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		if n%3 == 0 {
			_ = c.audio.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(n / 3), Timestamp: n * 320}, Payload: make([]byte, 80)})
		}
		if n%5 != 0 {
			continue
		}
		for i, track := range c.video {
			size, key := rates[i]/8/30, byte(0)
			if wants[i].Swap(false) {
				size, key = 4*size, 1
			}
			count := 1 + (size-1)/1150
			for part := range count {
				payload := make([]byte, size/count)
				payload[0] = 0x41 + 0x24*key*byte(1-min(part, 1)) // 0x65 begins a key frame
				payload[1], payload[2], payload[3], payload[4] = byte(i), byte(part), byte(count), key
				binary.BigEndian.PutUint32(payload[5:], n/5)
				seqs[i]++
				p := &rtp.Packet{Header: rtp.Header{Version: 2, Marker: part == count-1, SequenceNumber: seqs[i], Timestamp: n * 600}, Payload: payload}
				for _, x := range sender.GetParameters().HeaderExtensions {
					switch x.URI {
					case sdp.SDESMidURI:
						_ = p.SetExtension(uint8(x.ID), []byte("0"))
					case sdp.SDESRTPStreamIDURI:
						_ = p.SetExtension(uint8(x.ID), []byte(rids[i]))
					}
				}
				_ = track.WriteRTP(p)
			}
		}
	}
}

// weather is a socket at the end of a road.
type weather struct {
	net.PacketConn
	road  *road
	mu    sync.Mutex
	aloft []datagram // in the order in which they arrive
	out   chan datagram
	done  chan struct{}
	once  sync.Once
}

type datagram struct {
	b    []byte
	from net.Addr
	at   time.Duration
}

// blow brings what comes when the way has it arrive.
func (w *weather) blow() {
	b := make([]byte, 2048)
	for {
		n, from, err := w.PacketConn.ReadFrom(b)
		if err != nil {
			return
		}
		at, ok := w.road.carry(n + 28)
		if !ok {
			continue
		}
		w.mu.Lock()
		i, _ := slices.BinarySearchFunc(w.aloft, at, func(d datagram, at time.Duration) int { return cmp.Compare(d.at, at+1) })
		w.aloft = slices.Insert(w.aloft, i, datagram{append([]byte(nil), b[:n]...), from, at})
		w.mu.Unlock()
	}
}

// land has what is due arrive, in order.
func (w *weather) land() {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-tick.C:
		}
		w.mu.Lock()
		now, n := time.Since(w.road.began), 0
		for n < len(w.aloft) && w.aloft[n].at <= now {
			n++
		}
		due := slices.Clone(w.aloft[:n])
		w.aloft = slices.Delete(w.aloft, 0, n)
		w.mu.Unlock()
		for _, d := range due {
			select {
			case w.out <- d:
			case <-w.done:
				return
			}
		}
	}
}

func (w *weather) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-w.out:
		return copy(b, d.b), d.from, nil
	case <-w.done:
		return 0, nil, net.ErrClosed
	}
}

func (w *weather) Close() error {
	w.once.Do(func() { close(w.done) })
	return w.PacketConn.Close()
}

// audience judges what arrives at a viewer.
type audience struct {
	mu            sync.Mutex
	began, last   time.Time // the last picture
	frozen        time.Duration
	freezes       int
	pictures      int
	shown         byte
	log           []string
	frames        map[uint32]*parts // of the layer that is shown, or about to be
	next          uint32
	video, audio  counted
	longestFreeze time.Duration
}

// parts is what has come of a frame.
type parts struct {
	layer, count, key byte
	got               [64]bool
	left              int
}

// counted counts packets by their numbers.
type counted struct {
	begun       bool
	first, high int64
	missed      int
	missing     map[int64]bool
	recovered   int
}

func (c *counted) note(seq uint16) {
	if !c.begun {
		c.begun, c.first, c.high, c.missing = true, int64(seq), int64(seq)-1, map[int64]bool{}
	}
	i := c.high + int64(int16(seq-uint16(c.high)))
	switch {
	case i > c.high:
		for lost := c.high + 1; lost < i; lost++ {
			c.missing[lost] = true
			c.missed++
		}
		c.high = i
	case c.missing[i]:
		delete(c.missing, i)
		c.recovered++
	}
}

// watchFrom subscribes over a road.
func watchFrom(t testing.TB, e *Engine, pub *Publication, r *road, o SubscribeOptions) *audience {
	client := newViewer(t)
	sky := &weather{PacketConn: client.wire.PacketConn, road: r, out: make(chan datagram, 4096), done: make(chan struct{})}
	conn := net.PacketConn(sky)
	client.wire.other.Store(&conn)
	t.Cleanup(func() { _ = sky.Close() })
	go sky.blow()
	go sky.land()
	return watchWith(t, e, pub, client, o)
}

// newViewer makes a client that reports what has arrived, and asks for what has not.
func newViewer(t testing.TB) *client {
	return newClientWith(t, webrtc.SettingEngine{}, nil, webrtc.ConfigureTWCCSender, webrtc.ConfigureNack, func(m *webrtc.MediaEngine, r *interceptor.Registry) error {
		return webrtc.ConfigureRTCPReports(r)
	})
}

// watchWith subscribes with a client.
func watchWith(t testing.TB, e *Engine, pub *Publication, client *client, o SubscribeOptions) *audience {
	v := subscribe(t, e, pub, viewerOptions{client: client, SubscribeOptions: o})
	a := &audience{began: time.Now(), last: time.Now(), frames: map[uint32]*parts{}, shown: 255}
	stop := make(chan struct{})
	var g sync.WaitGroup
	t.Cleanup(func() { close(stop); g.Wait() })
	g.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		var asked time.Time
		for {
			select {
			case <-stop:
				return
			case p := <-v.video:
				a.see(p, time.Now())
			case p := <-v.audio:
				a.mu.Lock()
				a.audio.note(p.SequenceNumber)
				a.mu.Unlock()
			case now := <-tick.C:
				if a.stuck(now) && now.Sub(asked) > 500*time.Millisecond {
					asked = now
					_ = v.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(v.GetReceivers()[1].Track().SSRC())}})
				}
			}
		}
	})
	return a
}

// stuck tells whether pictures wait for something that does not come.
func (a *audience) stuck(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.frames) > 0 && now.Sub(a.last) > 500*time.Millisecond
}

// see takes a packet of video.
func (a *audience) see(p *rtp.Packet, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.video.note(p.SequenceNumber)
	b := p.Payload
	n := binary.BigEndian.Uint32(b[5:])
	f := a.frames[n]
	if f == nil || f.layer != b[1] && b[4] == 1 {
		f = &parts{layer: b[1], count: b[3], key: b[4], left: int(b[3])}
		a.frames[n] = f
	}
	if f.layer != b[1] || f.got[b[2]%64] {
		return
	}
	f.got[b[2]%64] = true
	if f.left--; f.left > 0 {
		return
	}
	if f.key == 1 && n >= a.next {
		a.next = n // a decoder can begin here
	}
	for f := a.frames[a.next]; f != nil && f.left == 0 && (f.key == 1 || f.layer == a.shown); f = a.frames[a.next] {
		a.show(f, now)
	}
	for old := range a.frames {
		if old < a.next {
			delete(a.frames, old)
		}
	}
}

func (a *audience) show(f *parts, now time.Time) {
	const freeze = 200 * time.Millisecond
	if gap := now.Sub(a.last); gap > freeze && a.pictures > 0 {
		a.freezes++
		a.frozen += gap
		a.longestFreeze = max(a.longestFreeze, gap)
	}
	if f.layer != a.shown {
		a.log = append(a.log, fmt.Sprintf("%s at %.1f s", []string{"low", "mid", "hi"}[f.layer], now.Sub(a.began).Seconds()))
	}
	a.shown, a.last = f.layer, now
	a.pictures++
	a.next++
}

// verdict is a row of the result.
func (a *audience) verdict() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if wait := time.Since(a.last); wait > time.Second {
		a.log = append(a.log, fmt.Sprintf("nothing since %.1f s", a.last.Sub(a.began).Seconds()))
	}
	expected := max(1, a.audio.high-a.audio.first+1)
	return fmt.Sprintf("%4d pictures, frozen %d times for %.1f s (longest %.1f s); %d of %d missing packets recovered; audio %.1f %%; %s",
		a.pictures, a.freezes, a.frozen.Seconds(), a.longestFreeze.Seconds(), a.video.recovered, a.video.missed,
		100*float64(expected-int64(len(a.audio.missing)))/float64(expected), strings.Join(a.log, ", "))
}
