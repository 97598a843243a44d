//go:build linux

package bench

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// viewer is a subscriber.
type viewer struct {
	*call
	ear    *ear
	tracks atomic.Int32
	whole  chan struct{} // all tracks have begun
	leave  func()        // may be nil

	mu    sync.Mutex
	lags  []time.Duration
	spans map[uint16]*span // by stream
}

// span is from the first sampled packet of a stream to the last: as the publisher has numbered them, and as they came.
type span struct {
	first, last         uint32
	firstCame, lastCame uint64
}

const tracks = 2

// measuring is set while what arrives counts.
var measuring atomic.Bool

// newViewer makes a viewer whose WebRTC sees one in step packets of each stream.
func newViewer(e *ears, step int) (*viewer, error) {
	o, err := e.ear(step)
	if err != nil {
		return nil, err
	}
	v := &viewer{ear: o, whole: make(chan struct{}), spans: map[uint16]*span{}}
	if v.call, err = newCall(o); err != nil {
		return nil, err
	}
	v.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if v.tracks.Add(1) == tracks {
			o.open.Store(false)
			close(v.whole)
		}
		for {
			p, _, err := t.ReadRTP()
			if err != nil {
				return
			}
			v.see(p)
		}
	})
	return v, nil
}

// watch joins by WHEP.
func (v *viewer) watch(url, token string) error {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := v.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return err
		}
	}
	return v.join(url, token)
}

// see takes a sampled packet.
func (v *viewer) see(p *rtp.Packet) {
	s, ok := readStamp(p.Payload)
	if !ok || !measuring.Load() {
		return
	}
	n, ok := v.ear.note(p.SSRC, p.SequenceNumber)
	if !ok {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lags = append(v.lags, time.Unix(0, n.at).Sub(s.sent))
	w := v.spans[s.stream]
	if w == nil {
		w = &span{first: s.number, firstCame: n.packets}
		v.spans[s.stream] = w
	}
	w.last, w.lastCame = s.number, n.packets
}

// waited is how long after its offer the first packet came.
func (v *viewer) waited() time.Duration { return time.Unix(0, v.ear.first).Sub(v.began) }

// lost is what should have come and did not, of what should have.
func (v *viewer) lost() (lost, expected int) {
	for _, s := range v.spans {
		expected += int(s.last - s.first)
		lost += int(s.last-s.first) - int(s.lastCame-s.firstCame)
	}
	return lost, expected
}

// report says what was received, as clients do each second.
func (v *viewer) report() {
	r := &rtcp.ReceiverReport{SSRC: 1}
	v.ear.mu.Lock()
	for _, h := range v.ear.streams {
		r.Reports = append(r.Reports, rtcp.ReceptionReport{SSRC: h.ssrc, LastSequenceNumber: uint32(h.last)})
	}
	v.ear.mu.Unlock()
	_ = v.WriteRTCP([]rtcp.Packet{r})
}

// tell says when packets came, for congestion control.
func (v *viewer) tell() {
	v.ear.mu.Lock()
	var diary []rtcp.Packet
	if v.ear.diary != nil && v.ear.diary.PacketsHeld() > 0 {
		diary = v.ear.diary.BuildFeedbackPacket()
	}
	v.ear.mu.Unlock()
	if len(diary) > 0 {
		_ = v.WriteRTCP(diary)
	}
}

func (v *viewer) close(e *ears) {
	if v.leave != nil {
		v.leave()
	}
	v.hangUp()
	e.forget(v.ear)
}
