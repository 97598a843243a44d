package sfu

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/pion/sdp/v3"
)

// kind is what a track is of, as in an m-line.
type kind string

const (
	audio kind = "audio"
	video kind = "video"
)

// The formats that can be forwarded.
const (
	mimeH264 = "video/H264"
	mimeVP8  = "video/VP8"
	mimeOpus = "audio/opus"
)

// codec is one payload format of an offer, with the payload types the offer gave it.
type codec struct {
	mime     string // mimeH264, mimeVP8 or mimeOpus
	clock    uint32
	channels uint16
	fmtp     string
	payload  uint8
	rtx      uint8    // payload type of its retransmissions; 0 when not offered
	feedback []string // values of a=rtcp-fb, without the payload type
}

// name is what people call the format.
func (c codec) name() string {
	_, name, _ := strings.Cut(c.mime, "/")
	return name
}

// known are the formats that can be forwarded. The rest of an offer is not looked at.
var known = map[string]codec{
	"video/h264": {mime: mimeH264, clock: 90000},
	"video/vp8":  {mime: mimeVP8, clock: 90000},
	"audio/opus": {mime: mimeOpus, clock: 48000, channels: 2},
}

// wantedFeedback lists the feedback we understand as a receiver and as a sender.
var wantedFeedback = []string{"nack", "nack pli", "ccm fir", transportCC, remb}

const (
	transportCC = "transport-cc"
	remb        = "goog-remb"
)

// without leaves a kind of feedback out.
func (c *codec) without(feedback string) {
	c.feedback = slices.DeleteFunc(c.feedback, func(f string) bool { return f == feedback })
}

// readCodecs lists the formats of a media section that we know, in the order of the offer.
func readCodecs(m *sdp.MediaDescription) []codec {
	var found []codec
	rtx := retransmissions(m)
	for _, format := range m.MediaName.Formats {
		payload, err := strconv.ParseUint(format, 10, 7)
		if err != nil {
			continue
		}
		c, ok := readRTPMap(m, format)
		if !ok || slices.ContainsFunc(found, func(f codec) bool { return f.payload == uint8(payload) }) {
			continue
		}
		c.payload = uint8(payload)
		c.rtx = rtx[c.payload]
		if c.fmtp, _ = valueFor(m, "fmtp", format); strings.ContainsFunc(c.fmtp, unicode.IsControl) {
			continue
		}
		c.feedback = readFeedback(m, format)
		found = append(found, c)
	}
	return found
}

func readRTPMap(m *sdp.MediaDescription, format string) (codec, bool) {
	value, _ := valueFor(m, "rtpmap", format)
	name, rest, _ := strings.Cut(value, "/")
	c, ok := known[strings.ToLower(m.MediaName.Media+"/"+name)]
	if !ok {
		return codec{}, false
	}
	clock, channels, _ := strings.Cut(rest, "/")
	same := clock == strconv.Itoa(int(c.clock)) && (c.channels == 0 || channels == strconv.Itoa(int(c.channels)))
	return c, same
}

// retransmissions maps payload types to those of their RFC 4588 streams.
func retransmissions(m *sdp.MediaDescription) map[uint8]uint8 {
	found := map[uint8]uint8{}
	for _, format := range m.MediaName.Formats {
		payload, err := strconv.ParseUint(format, 10, 7)
		name, _ := valueFor(m, "rtpmap", format)
		if err != nil || !strings.EqualFold(name, "rtx/90000") {
			continue
		}
		fmtp, _ := valueFor(m, "fmtp", format)
		if apt, err := strconv.ParseUint(parameter(fmtp, "apt"), 10, 7); err == nil {
			found[uint8(apt)] = uint8(payload)
		}
	}
	return found
}

func readFeedback(m *sdp.MediaDescription, format string) []string {
	var offered []string
	for _, a := range m.Attributes {
		fields := strings.Fields(a.Value)
		if a.Key != "rtcp-fb" || len(fields) < 2 || fields[0] != format && fields[0] != "*" {
			continue
		}
		offered = append(offered, strings.Join(fields[1:], " "))
	}
	return slices.DeleteFunc(slices.Clone(wantedFeedback), func(f string) bool {
		return !slices.Contains(offered, f)
	})
}

// valueFor finds the a=key line that speaks of format and returns what follows it.
func valueFor(m *sdp.MediaDescription, key, format string) (string, bool) {
	for _, a := range m.Attributes {
		if a.Key != key {
			continue
		}
		if first, rest, _ := strings.Cut(a.Value, " "); first == format {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// parameter finds name=value in a format parameter line.
func parameter(fmtp, name string) string {
	for part := range strings.SplitSeq(fmtp, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(part), "="); strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// h264Rank orders H.264 formats by how widely they can be decoded, best first: constrained
// baseline, baseline, main, high. Formats that need another packetization are no candidates.
func h264Rank(c codec) (rank int, ok bool) {
	profile := strings.ToLower(parameter(c.fmtp, "profile-level-id"))
	if parameter(c.fmtp, "packetization-mode") != "1" {
		return 0, false
	}
	constraints, _ := strconv.ParseUint(profile[min(2, len(profile)):min(4, len(profile))], 16, 8)
	const constrained = 0x40 // constraint_set1_flag: the baseline stream is a main stream too
	switch {
	case strings.HasPrefix(profile, "42") && constraints&constrained != 0:
		return 0, true
	case strings.HasPrefix(profile, "42"), profile == "": // RFC 6184: the default is baseline
		return 1, true
	case strings.HasPrefix(profile, "4d"):
		return 2, true
	case strings.HasPrefix(profile, "64"):
		return 3, true
	}
	return 0, false
}

// chooseVideo picks what a publisher shall send: H.264 whenever it is offered, VP8
// only without it, since H.264 is what every subscriber of the service decodes.
func chooseVideo(offered []codec) (codec, bool) {
	h264 := slices.DeleteFunc(slices.Clone(offered), func(c codec) bool {
		_, ok := h264Rank(c)
		return c.mime != mimeH264 || !ok
	})
	if len(h264) > 0 {
		return slices.MinFunc(h264, func(a, b codec) int {
			ra, _ := h264Rank(a)
			rb, _ := h264Rank(b)
			return cmp.Compare(ra, rb)
		}), true
	}
	if slices.ContainsFunc(offered, func(c codec) bool { return c.mime == mimeH264 }) {
		return codec{}, false
	}
	return first(offered, mimeVP8)
}

// chooseLike picks the format in which a subscriber can receive what the
// publication sends, in the same H.264 profile if possible.
func chooseLike(offered []codec, sent codec) (codec, bool) {
	if sent.mime != mimeH264 {
		return first(offered, sent.mime)
	}
	wanted, _ := h264Rank(sent)
	for _, c := range offered {
		if rank, ok := h264Rank(c); ok && rank == wanted && c.mime == sent.mime {
			return c, true
		}
	}
	c, ok := chooseVideo(offered)
	return c, ok && c.mime == sent.mime
}

func first(offered []codec, mime string) (codec, bool) {
	i := slices.IndexFunc(offered, func(c codec) bool { return c.mime == mime })
	if i < 0 {
		return codec{}, false
	}
	return offered[i], true
}
