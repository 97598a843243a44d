package sfu

import (
	"encoding/binary"
	"sync"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// viewer is a subscribing client.
type viewer struct {
	*client
	*story
	sub          *Subscription
	answer       string
	video, audio chan *rtp.Packet
	reports      chan *rtcp.SenderReport
}

type viewerOptions struct {
	SubscribeOptions
	codecs    []webrtc.RTPCodecParameters
	noVideo   bool
	client    *client // nil for one on UDP
	unstarted bool    // the test will call Start
}

func subscribe(t testing.TB, e *Engine, src *Publication, o viewerOptions) *viewer {
	t.Helper()
	v := &viewer{
		client: o.client, story: newStory(),
		video: make(chan *rtp.Packet, 9999), audio: make(chan *rtp.Packet, 9999), reports: make(chan *rtcp.SenderReport, 99),
	}
	if v.client == nil {
		v.client = newClient(t, o.codecs...)
	}
	var mu sync.Mutex // nothing begins once the end is waited for
	var over bool
	var g sync.WaitGroup
	t.Cleanup(func() {
		mu.Lock()
		over = true
		mu.Unlock()
		_ = v.GracefulClose()
		g.Wait()
	})
	v.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			g.Go(func() { v.watch(track) })
			g.Go(func() { v.hear(receiver) })
		}
	})
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if kind == webrtc.RTPCodecTypeVideo && o.noVideo {
			continue
		}
		_, err := v.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		must(t, err)
	}
	if o.StreamID == "" {
		o.StreamID = "somebody"
	}
	var err error
	v.sub, v.answer, err = e.Subscribe(t.Context(), v.offer(t), src, o.SubscribeOptions, v.notify())
	must(t, err)
	v.accept(t, v.answer)
	if !o.unstarted {
		v.sub.Start()
	}
	return v
}

func (v *viewer) watch(track *webrtc.TrackRemote) {
	to := v.video
	if track.Kind() == webrtc.RTPCodecTypeAudio {
		to = v.audio
	}
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		select {
		case to <- p:
		default:
		}
	}
}

func (v *viewer) hear(r *webrtc.RTPReceiver) {
	for {
		packets, _, err := r.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			if report, ok := p.(*rtcp.SenderReport); ok {
				select {
				case v.reports <- report:
				default:
				}
			}
		}
	}
}

// content is what a camera wrote into a payload.
func content(p *rtp.Packet) (key bool, mark, layer byte, n uint32) {
	b := p.Payload
	key = b[0] == 0x65 || b[0] == 0x10 && b[1] == 0
	if b[0] == 0x10 {
		b = b[1:]
	}
	return key, b[1], b[2], binary.BigEndian.Uint32(b[3:])
}

// inOrder checks that n packets come with numbers that follow each other.
func inOrder(t testing.TB, from <-chan *rtp.Packet, n int) []*rtp.Packet {
	t.Helper()
	all := []*rtp.Packet{wait(t, from, "packet")}
	for range n - 1 {
		p, last := wait(t, from, "packet"), all[len(all)-1]
		if p.SequenceNumber != last.SequenceNumber+1 {
			t.Fatalf("sequence number %d after %d", p.SequenceNumber, last.SequenceNumber)
		}
		if int32(p.Timestamp-last.Timestamp) <= 0 {
			t.Fatalf("timestamp %d after %d", p.Timestamp, last.Timestamp)
		}
		if p.SSRC != last.SSRC || p.PayloadType != last.PayloadType {
			t.Fatalf("the stream became another: %v after %v", p.Header, last.Header)
		}
		all = append(all, p)
	}
	return all
}

// drain empties what has queued up at v, so that what follows is fresh.
func (v *viewer) drain() <-chan *rtp.Packet {
	for len(v.video) > 0 {
		<-v.video
	}
	return v.video
}
