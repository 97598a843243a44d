package sfu

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// startsKeyFrame tells whether a decoder can begin with this RTP payload: for
// H.264 the first packet of an IDR picture or of the parameter sets before it (RFC 6184),
// for VP8 the first packet of a key frame (RFC 7741). Audio always can.
func startsKeyFrame(mime string, payload []byte) bool {
	switch mime {
	case mimeH264:
		return startsH264(payload)
	case mimeVP8:
		return startsVP8(payload)
	}
	return true
}

const (
	nalIDR   = 5
	nalSPS   = 7
	nalSTAPA = 24
	nalFUA   = 28
)

func startsH264(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	switch kind := p[0] & 0x1f; kind {
	case nalIDR, nalSPS:
		return true
	case nalSTAPA:
		for p = p[1:]; len(p) > 2; {
			size := int(binary.BigEndian.Uint16(p))
			if inner := p[2] & 0x1f; inner == nalIDR || inner == nalSPS {
				return true
			}
			p = p[min(2+size, len(p)):]
		}
	case nalFUA:
		const start = 0x80
		inner := p[1] & 0x1f
		return p[1]&start != 0 && (inner == nalIDR || inner == nalSPS)
	}
	return false
}

func startsVP8(p []byte) bool {
	const interFrame = 0x01
	frame, ok := vp8Frame(p)
	return ok && len(frame) > 0 && frame[0]&interFrame == 0
}

// vp8Frame gives what follows the payload descriptor in the first packet of a frame.
func vp8Frame(p []byte) ([]byte, bool) {
	const extended, start, partition = 0x80, 0x10, 0x07
	if len(p) < 2 || p[0]&start == 0 || p[0]&partition != 0 {
		return nil, false
	}
	at := 1
	if p[0]&extended != 0 {
		flags := p[1]
		at = 2
		if flags&0x80 != 0 { // picture id, one or two bytes
			if len(p) <= at {
				return nil, false
			}
			at += 1 + int(p[at]>>7)
		}
		if flags&0x40 != 0 { // TL0PICIDX
			at++
		}
		if flags&0x30 != 0 { // TID and KEYIDX share a byte
			at++
		}
	}
	return p[min(at, len(p)):], true
}

const (
	// A publisher is asked at most this often, however many subscribers ask.
	keyFrameInterval = 500 * time.Millisecond
	// An unanswered request is repeated: RTCP gets lost too.
	keyFrameRetry = time.Second
)

// plea gathers the wishes of all subscribers for a key frame of one layer.
type plea struct {
	wanted atomic.Bool
	asked  time.Time // owned by the publication's loop
	served atomic.Bool
}

// ask notes a wish and tells whether it is the first. Safe for concurrent use.
func (p *plea) ask() bool { return !p.wanted.Swap(true) }

// answer notes that a key frame has begun. Safe for concurrent use.
func (p *plea) answer() {
	if p.wanted.Load() {
		p.wanted.Store(false)
	}
	if !p.served.Load() {
		p.served.Store(true)
	}
}

// due tells whether the publisher is to be asked now; if not, how long it can
// wait, 0 meaning that nobody wants anything.
func (p *plea) due(now time.Time) (bool, time.Duration) {
	if !p.wanted.Load() {
		return false, 0
	}
	pause := keyFrameRetry
	if p.served.Load() {
		pause = keyFrameInterval
	}
	if wait := p.asked.Add(pause).Sub(now); wait > 0 && !p.asked.IsZero() {
		return false, wait
	}
	p.asked = now
	p.served.Store(false)
	return true, 0
}
