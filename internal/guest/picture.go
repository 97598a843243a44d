package guest

import (
	"bytes"
	_ "embed"
	"fmt"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
)

// Video is the codec a guest publishes video with.
type Video string

// The kinds of video. NoVideo publishes audio alone.
const (
	H264    Video = "H264"
	VP8     Video = "VP8"
	NoVideo Video = ""
)

const (
	framesPerSecond = 25
	framesPerKey    = 50
)

// silence is 20 ms of Opus in which nothing is heard (RFC 6716: CELT, fullband,
// one frame).
var silence = []byte{0xf8, 0xff, 0xfe}

// draw gives the nth frame of a picture. A key frame is given when it is asked for.
type draw func(n int, key bool) []byte

// picture makes the picture for a codec. Rank 0 is the largest; H.264 gets
// smaller with it.
func (v Video) picture(rank int) (webrtc.RTPCodecCapability, rtp.Payloader, draw, error) {
	switch v {
	case H264:
		p := &h264Picture{side: max(10-3*rank, 2)}
		return webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeH264, ClockRate: videoClock,
			SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
		}, &codecs.H264Payloader{}, p.frame, nil
	case VP8:
		frames, err := clip()
		if err != nil {
			return webrtc.RTPCodecCapability{}, nil, nil, err
		}
		return webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: videoClock}, &codecs.VP8Payloader{EnablePictureID: true}, loop(frames), nil
	}
	return webrtc.RTPCodecCapability{}, nil, nil, fmt.Errorf("a guest cannot draw %q", v)
}

// One second of a test picture, 96 by 96, its first frame the only key frame.
//
//go:embed clock.ivf
var clock []byte

func clip() ([][]byte, error) {
	r, header, err := ivfreader.NewWith(bytes.NewReader(clock))
	if err != nil {
		return nil, err
	}
	var frames [][]byte
	for range header.NumFrames {
		frame, _, err := r.ParseNextFrame()
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
	return frames, nil
}

// loop plays frames again and again; each wish for a key frame starts it over.
func loop(frames [][]byte) draw {
	next := 0
	return func(_ int, key bool) []byte {
		if key || next == len(frames) {
			next = 0
		}
		next++
		return frames[next-1]
	}
}
