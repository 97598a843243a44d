package guest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// Publication is what a guest publishes.
type Publication struct {
	*call
	audio   *webrtc.TrackLocalStaticSample
	video   *webrtc.RTPTransceiver // nil without video
	layers  []*layer
	paused  atomic.Bool
	keyWish atomic.Bool
	frames  atomic.Int64

	stop  context.CancelFunc
	loops sync.WaitGroup
}

// Publish publishes Opus audio and, unless video is NoVideo, video at 25 frames
// a second, until it is closed. Restriction ids make it simulcast, the first id
// the largest picture. It returns when the connection is up and media flows.
// A refusal is a [*Refusal].
func (g *Guest) Publish(ctx context.Context, video Video, rids ...string) (*Publication, error) {
	c, err := g.newCall()
	if err != nil {
		return nil, err
	}
	p := &Publication{call: c, stop: func() {}}
	if err := p.open(ctx, video, rids); err != nil {
		return nil, errors.Join(err, p.Close(context.WithoutCancel(ctx)))
	}
	return p, nil
}

func (p *Publication) open(ctx context.Context, video Video, rids []string) error {
	if err := p.addAudio(); err != nil {
		return err
	}
	if video != NoVideo {
		if err := p.addVideo(video, rids); err != nil {
			return err
		}
	}
	endpoint, err := p.guest.endpoint()
	if err != nil {
		return err
	}
	if err := p.start(ctx, endpoint); err != nil {
		return err
	}
	for _, l := range p.layers {
		l.name(p.video)
	}
	playing, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.loops.Go(func() { p.play(playing) })
	return p.guest.add(p)
}

func (p *Publication) addAudio() (err error) {
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	p.audio, err = webrtc.NewTrackLocalStaticSample(opus, "audio", p.guest.ID())
	if err != nil {
		return err
	}
	return p.send(p.audio)
}

func (p *Publication) addVideo(video Video, rids []string) error {
	first, err := p.addLayer(video, 0, rids)
	if err != nil {
		return err
	}
	if err := p.send(first); err != nil {
		return err
	}
	p.video = p.peer.GetTransceivers()[1]
	sender := p.video.Sender()
	if err := p.video.SetCodecPreferences(only(first.Codec().MimeType, sender.GetParameters().Codecs)); err != nil {
		return err
	}
	for i := 1; i < len(rids); i++ {
		track, err := p.addLayer(video, i, rids)
		if err != nil {
			return err
		}
		if err := sender.AddEncoding(track); err != nil {
			return err
		}
	}
	return nil
}

// only keeps the codec that is drawn, so that the answer cannot choose another,
// and retransmission.
func only(mimeType string, codecs []webrtc.RTPCodecParameters) []webrtc.RTPCodecParameters {
	return slices.DeleteFunc(codecs, func(c webrtc.RTPCodecParameters) bool {
		return c.MimeType != mimeType && c.MimeType != webrtc.MimeTypeRTX
	})
}

func (p *Publication) addLayer(video Video, i int, rids []string) (*webrtc.TrackLocalStaticRTP, error) {
	rid := ""
	if len(rids) > 0 {
		rid = rids[i]
	}
	l, err := newLayer(video, i, p.guest.ID(), rid)
	if err != nil {
		return nil, err
	}
	p.layers = append(p.layers, l)
	return l.track, nil
}

// send adds a track and listens to what the receiver says about it.
func (p *Publication) send(track webrtc.TrackLocal) error {
	t, err := p.peer.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return err
	}
	p.loops.Go(func() { p.hear(t.Sender()) })
	return nil
}

// hear reads RTCP until the sender stops; a wish for a key frame is noted.
func (p *Publication) hear(sender *webrtc.RTPSender) {
	for {
		reports, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, r := range reports {
			switch r.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				p.keyWish.Store(true)
			}
		}
	}
}

// play sends 20 ms of audio at each tick and a picture at every second one.
func (p *Publication) play(ctx context.Context) {
	const tick = 20 * time.Millisecond
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for n := 0; ; n++ {
		if !p.paused.Load() {
			p.audio.WriteSample(media.Sample{Data: silence, Duration: tick})
			if n%2 == 0 {
				p.playFrame(n / 2)
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		case <-p.down:
			return
		}
	}
}

// playFrame sends the nth picture on every layer.
func (p *Publication) playFrame(n int) {
	key := p.keyWish.Swap(false) || n%framesPerKey == 0
	for _, l := range p.layers {
		l.write(l.draw(n, key))
	}
	p.frames.Add(1)
}

// Frames is how many pictures were sent so far.
func (p *Publication) Frames() int64 { return p.frames.Load() }

// Pause stops the media, not the connection; Resume goes on.
func (p *Publication) Pause() { p.paused.Store(true) }

// Resume goes on after Pause, with a key frame.
func (p *Publication) Resume() {
	p.keyWish.Store(true)
	p.paused.Store(false)
}

// Close ends the publication with a DELETE and waits until nothing of it is left.
func (p *Publication) Close(ctx context.Context) error {
	p.guest.drop(p)
	p.stop()
	err := p.end(ctx)
	p.loops.Wait()
	return err
}
