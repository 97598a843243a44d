package sfu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// OfferProblem says in one word why an offer was refused.
type OfferProblem string

// The reasons for which offers are refused.
const (
	Malformed      OfferProblem = "malformed"       // not SDP, or without something that WebRTC needs
	NoVideoCodec   OfferProblem = "no video codec"  // no video format that can be forwarded
	NoAudioCodec   OfferProblem = "no audio codec"  // audio without Opus
	WrongDirection OfferProblem = "wrong direction" // a publisher that does not send, a subscriber that does not receive
	TooManyTracks  OfferProblem = "too many tracks" // more than one audio, one video or three layers
	NotBundled     OfferProblem = "not bundled"     // BUNDLE or rtcp-mux is missing
)

// OfferError tells why an offer cannot be answered. Message is fit for the client's eyes.
type OfferError struct {
	Code    OfferProblem
	Message string
}

// Error implements error.
func (e *OfferError) Error() string { return "sfu: offer refused: " + e.Message }

func refuse(code OfferProblem, format string, args ...any) *OfferError {
	return &OfferError{Code: code, Message: fmt.Sprintf(format, args...)}
}

const (
	maxOffer      = 64 << 10 // bytes
	maxSections   = 8
	maxLayers     = 3
	maxCandidates = 64 // of a fragment
)

// direction is what the offering side wants to do.
type direction string

const (
	sending   direction = "sendonly"
	receiving direction = "recvonly"
)

// offer is what we understood of a remote offer. Nothing else of it is used.
type offer struct {
	direction  direction
	stream     string // msid stream id of what we send
	sections   []section
	unused     []unused
	ufrag, pwd string
	handshake  handshake
	trickle    bool
	mixed      bool // extmap-allow-mixed
}

// section is an audio or video m-line.
type section struct {
	kind       kind
	mid        string
	offered    []codec
	codec      codec    // the chosen one of them
	rids       []string // simulcast layers in the order of the offer
	ssrc, rtx  uint32   // as declared, or ours when we send; 0 when there is none
	extensions []extension
}

type extension struct {
	id  int
	uri string
}

// unused is an m-line that is rejected in the answer: the data channel's.
type unused struct {
	index int
	media *sdp.MediaDescription
}

// readOffer understands and checks an offer. Its error is always an *OfferError.
func readOffer(text string, d direction) (*offer, error) {
	if len(text) > maxOffer {
		return nil, refuse(Malformed, "the offer is larger than %d bytes", maxOffer)
	}
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(text); err != nil {
		return nil, refuse(Malformed, "the offer is not SDP")
	}
	if len(desc.MediaDescriptions) == 0 || len(desc.MediaDescriptions) > maxSections {
		return nil, refuse(Malformed, "the offer has %d media sections", len(desc.MediaDescriptions))
	}
	o := &offer{direction: d}
	for i, m := range desc.MediaDescriptions {
		if err := o.add(i, &desc, m); err != nil {
			return nil, err
		}
	}
	if len(o.sections) == 0 {
		return nil, refuse(Malformed, "the offer has neither audio nor video")
	}
	if err := o.checkBundle(&desc); err != nil {
		return nil, err
	}
	if err := o.readTransport(&desc); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *offer) add(index int, desc *sdp.SessionDescription, m *sdp.MediaDescription) error {
	kind := kind(m.MediaName.Media)
	if m.MediaName.Media == "application" {
		o.unused = append(o.unused, unused{index, m})
		return nil
	}
	if kind != audio && kind != video {
		return refuse(Malformed, "media of kind %.16q is not supported", m.MediaName.Media)
	}
	if o.section(kind) != nil {
		return refuse(TooManyTracks, "more than one %s track", kind)
	}
	if got := readDirection(desc, m); got != "sendrecv" && got != string(o.direction) {
		return refuse(WrongDirection, "the %s section is %s, not %s", kind, got, o.direction)
	}
	s := section{kind: kind, offered: readCodecs(m), extensions: readExtensions(desc, m, kind, o.direction)}
	s.mid, _ = m.Attribute("mid")
	if !isToken(s.mid, 64) {
		return refuse(Malformed, "the %s section has no usable mid", kind)
	}
	if _, muxed := m.Attribute("rtcp-mux"); !muxed {
		return refuse(NotBundled, "the %s section has no rtcp-mux", kind)
	}
	if o.direction == sending {
		if err := s.readSources(m); err != nil {
			return err
		}
	}
	o.sections = append(o.sections, s)
	return nil
}

func (o *offer) section(k kind) *section {
	i := slices.IndexFunc(o.sections, func(s section) bool { return s.kind == k })
	if i < 0 {
		return nil
	}
	return &o.sections[i]
}

func readDirection(desc *sdp.SessionDescription, m *sdp.MediaDescription) string {
	if _, bundleOnly := m.Attribute("bundle-only"); m.MediaName.Port.Value == 0 && !bundleOnly {
		return "inactive" // port zero switches a section off
	}
	for _, attributes := range [][]sdp.Attribute{m.Attributes, desc.Attributes} {
		for _, a := range attributes {
			switch a.Key {
			case "sendrecv", "sendonly", "recvonly", "inactive":
				return a.Key
			}
		}
	}
	return "sendrecv"
}

// readSources finds out how the section's RTP streams can be recognised: by rid or by SSRC.
func (s *section) readSources(m *sdp.MediaDescription) error {
	for _, a := range m.Attributes {
		fields := strings.Fields(a.Value)
		switch {
		case a.Key == "rid" && s.kind == video && len(fields) >= 2 && fields[1] == "send":
			if !isToken(fields[0], 32) || slices.Contains(s.rids, fields[0]) {
				return refuse(Malformed, "the rids of the video section are not usable")
			}
			s.rids = append(s.rids, fields[0])
		case a.Key == "ssrc-group" && len(fields) == 3 && fields[0] == "FID" && s.rtx == 0:
			s.ssrc, s.rtx = number(fields[1]), number(fields[2])
		case a.Key == "ssrc" && len(fields) > 0 && s.ssrc == 0:
			s.ssrc = number(fields[0])
		}
	}
	if len(s.rids) > maxLayers {
		return refuse(TooManyTracks, "more than %d simulcast layers", maxLayers)
	}
	if s.ssrc == 0 || s.ssrc == s.rtx || len(s.rids) > 0 {
		s.rtx = 0
	}
	if len(s.rids) > 0 {
		s.ssrc = 0
	}
	return nil
}

func number(s string) uint32 {
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}

func (o *offer) checkBundle(desc *sdp.SessionDescription) error {
	if len(o.sections) == 2 && o.sections[0].mid == o.sections[1].mid {
		return refuse(Malformed, "two sections have the same mid")
	}
	if len(o.sections) == 2 && o.sections[0].ssrc != 0 && o.sections[0].ssrc == o.sections[1].ssrc {
		return refuse(Malformed, "two sections have the same SSRC")
	}
	var bundled []string
	for _, a := range desc.Attributes {
		if fields := strings.Fields(a.Value); a.Key == "group" && len(fields) > 0 && fields[0] == "BUNDLE" {
			bundled = fields[1:]
			break
		}
	}
	if len(desc.MediaDescriptions) == 1 && bundled == nil {
		return nil // nothing to bundle
	}
	for _, s := range o.sections {
		if !slices.Contains(bundled, s.mid) {
			return refuse(NotBundled, "the %s section is not in the BUNDLE group", s.kind)
		}
	}
	return nil
}

// readTransport reads what belongs to the one transport: from the section itself, or for all.
func (o *offer) readTransport(desc *sdp.SessionDescription) error {
	var tag *sdp.MediaDescription // the first bundled section speaks for the transport
	for _, m := range desc.MediaDescriptions {
		if mid, _ := m.Attribute("mid"); mid == o.sections[0].mid {
			tag = m
		}
	}
	get := func(key string) string {
		if value, ok := tag.Attribute(key); ok {
			return value
		}
		value, _ := desc.Attribute(key)
		return value
	}
	o.ufrag, o.pwd = get("ice-ufrag"), get("ice-pwd")
	if !usable(credentials{o.ufrag, o.pwd}) {
		return refuse(Malformed, "the offer has no usable ICE credentials")
	}
	if o.handshake.fingerprint = readFingerprint(tag.Attributes, desc.Attributes); o.handshake.fingerprint == "" {
		return refuse(Malformed, "the offer has no usable certificate fingerprint")
	}
	switch get("setup") {
	case "", "actpass", "active": // without one it is active (RFC 4145, section 4.1)
	case "passive":
		o.handshake.begin = true
	default:
		return refuse(Malformed, "the offer must be setup:actpass, setup:active or setup:passive")
	}
	o.trickle = strings.Contains(get("ice-options"), "trickle")
	_, o.mixed = desc.Attribute("extmap-allow-mixed")
	return nil
}

// digests are the sizes of the hashes that can vouch for a certificate, in bytes.
var digests = map[string]int{"sha-256": 32, "sha-384": 48, "sha-512": 64}

func readFingerprint(levels ...[]sdp.Attribute) string {
	for _, attributes := range levels {
		for _, a := range attributes {
			fields := strings.Fields(a.Value)
			if a.Key != "fingerprint" || len(fields) != 2 {
				continue
			}
			algorithm, digest := strings.ToLower(fields[0]), strings.ToUpper(fields[1])
			if len(digest) == digests[algorithm]*3-1 && strings.Trim(digest, "0123456789ABCDEF:") == "" {
				return algorithm + " " + digest
			}
		}
	}
	return ""
}

// isToken accepts the characters of identifiers in SDP (RFC 8866's token without its more exotic ones).
func isToken(s string, longest int) bool {
	return s != "" && len(s) <= longest && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.+{}$", r))
	})
}

// usable checks lengths and characters (RFC 8839, section 5.4). Some clients use
// characters of base64url; nothing breaks by them.
func usable(c credentials) bool {
	foreign := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+/-_=", r))
	}
	return len(c.ufrag) >= 4 && len(c.ufrag) <= 256 && len(c.pwd) >= 22 && len(c.pwd) <= 256 && !strings.ContainsFunc(c.ufrag+c.pwd, foreign)
}
