package sfu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

const absSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"

// readExtensions lists the header extensions of a publisher that we make use of. To
// subscribers none is sent, so none is agreed on.
func readExtensions(desc *sdp.SessionDescription, m *sdp.MediaDescription, kind webrtc.RTPCodecType, d direction) []extension {
	if d == receiving {
		return nil
	}
	useful := []string{sdp.SDESMidURI, sdp.TransportCCURI, absSendTime, sdp.AudioLevelURI}
	if kind == webrtc.RTPCodecTypeVideo {
		useful = []string{sdp.SDESMidURI, sdp.SDESRTPStreamIDURI, sdp.SDESRepairRTPStreamIDURI, sdp.TransportCCURI, absSendTime}
	}
	var found []extension
	for _, a := range slices.Concat(m.Attributes, desc.Attributes) {
		fields := strings.Fields(a.Value)
		if a.Key != "extmap" || len(fields) < 2 || !slices.Contains(useful, fields[1]) {
			continue
		}
		number, _, _ := strings.Cut(fields[0], "/")
		id, err := strconv.Atoi(number)
		taken := func(e extension) bool { return e.id == id || e.uri == fields[1] }
		if err == nil && id > 0 && id < 15 && !slices.ContainsFunc(found, taken) {
			found = append(found, extension{id, fields[1]})
		}
	}
	return found
}

// settleExtensions drops what would hinder: one number for two meanings in the
// sections, abs-send-time where transport-wide sequence numbers serve better, and the
// mid where a section can be told apart by payload type only (the stack would wait for a rid then).
func (o *offer) settleExtensions() {
	meaning := map[int]string{}
	transport, declared := false, true
	for _, s := range o.sections {
		transport = transport || slices.ContainsFunc(s.extensions, func(e extension) bool { return e.uri == sdp.TransportCCURI })
		declared = declared && (s.ssrc != 0 || len(s.rids) > 0)
	}
	for i := range o.sections {
		s := &o.sections[i]
		s.extensions = slices.DeleteFunc(s.extensions, func(e extension) bool {
			other, known := meaning[e.id]
			if !known {
				meaning[e.id] = e.uri
			}
			return known && other != e.uri || e.uri == absSendTime && transport || e.uri == sdp.SDESMidURI && !declared
		})
	}
}

// sdp writes the offer anew, with the chosen formats only. The WebRTC stack
// sees nothing else of what the client sent, so it has nothing to choose or to stumble over.
// extra holds the SSRCs of undeclared streams by section, once known.
func (o *offer) sdp(extra map[string]uint32) string {
	d := &sdp.SessionDescription{
		Origin:           sdp.Origin{Username: "-", SessionID: 1, SessionVersion: 1, NetworkType: "IN", AddressType: "IP4", UnicastAddress: "0.0.0.0"},
		SessionName:      "-",
		TimeDescriptions: []sdp.TimeDescription{{}},
	}
	group := "BUNDLE"
	for _, s := range o.sections {
		group += " " + s.mid
	}
	d.WithValueAttribute("group", group)
	if o.mixed {
		d.WithPropertyAttribute("extmap-allow-mixed")
	}
	for _, s := range o.sections {
		if s.ssrc == 0 && len(s.rids) == 0 {
			s.ssrc = extra[s.mid]
		}
		d.WithMedia(o.media(&s))
	}
	text, err := d.Marshal()
	if err != nil {
		return "" // cannot happen: all strings were checked; the stack refuses it anyway
	}
	return string(text)
}

func (o *offer) media(s *section) *sdp.MediaDescription {
	c := s.codec
	m := &sdp.MediaDescription{
		MediaName: sdp.MediaName{
			Media: s.kind.String(), Port: sdp.RangedPort{Value: 9},
			Protos: []string{"UDP", "TLS", "RTP", "SAVPF"}, Formats: []string{strconv.Itoa(int(c.payload))},
		},
		ConnectionInformation: &sdp.ConnectionInformation{
			NetworkType: "IN", AddressType: "IP4", Address: &sdp.Address{Address: "0.0.0.0"},
		},
	}
	m.WithValueAttribute("mid", s.mid).WithICECredentials(o.ufrag, o.pwd)
	if o.trickle {
		m.WithValueAttribute("ice-options", "trickle")
	}
	m.WithValueAttribute("fingerprint", o.fingerprint).WithValueAttribute("setup", o.setup).
		WithPropertyAttribute("rtcp-mux").WithPropertyAttribute("rtcp-rsize").WithPropertyAttribute(string(o.direction))
	for _, e := range s.extensions {
		m.WithValueAttribute("extmap", fmt.Sprintf("%d %s", e.id, e.uri))
	}
	c.describe(m)
	s.describe(m)
	return m
}

func (c codec) describe(m *sdp.MediaDescription) {
	_, name, _ := strings.Cut(c.mime, "/")
	rtpmap := fmt.Sprintf("%d %s/%d", c.payload, name, c.clock)
	if c.channels > 0 {
		rtpmap += fmt.Sprintf("/%d", c.channels)
	}
	m.WithValueAttribute("rtpmap", rtpmap)
	if c.fmtp != "" {
		m.WithValueAttribute("fmtp", fmt.Sprintf("%d %s", c.payload, c.fmtp))
	}
	for _, f := range c.feedback {
		m.WithValueAttribute("rtcp-fb", strings.TrimSpace(fmt.Sprintf("%d %s %s", c.payload, f.Type, f.Parameter)))
	}
	if c.rtx != 0 {
		m.MediaName.Formats = append(m.MediaName.Formats, strconv.Itoa(int(c.rtx)))
		m.WithValueAttribute("rtpmap", fmt.Sprintf("%d rtx/%d", c.rtx, c.clock))
		m.WithValueAttribute("fmtp", fmt.Sprintf("%d apt=%d", c.rtx, c.payload))
	}
}

func (s *section) describe(m *sdp.MediaDescription) {
	if s.ssrc == 0 && len(s.rids) == 0 {
		return
	}
	m.WithValueAttribute("msid", "publication "+s.kind.String())
	if s.rtx != 0 {
		m.WithValueAttribute("ssrc-group", fmt.Sprintf("FID %d %d", s.ssrc, s.rtx))
	}
	for _, ssrc := range []uint32{s.ssrc, s.rtx} {
		if ssrc != 0 {
			m.WithValueAttribute("ssrc", fmt.Sprintf("%d cname:publication", ssrc))
		}
	}
	for _, rid := range s.rids {
		m.WithValueAttribute("rid", rid+" send")
	}
	if len(s.rids) > 0 {
		m.WithValueAttribute("simulcast", "send "+strings.Join(s.rids, ";"))
	}
}

// mediaEngine knows exactly the chosen formats and extensions.
func (o *offer) mediaEngine() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	for _, s := range o.sections {
		if err := s.codec.register(m, s.kind); err != nil {
			return nil, err
		}
		for _, e := range s.extensions {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: e.uri}, s.kind); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// finish makes the client's answer out of the stack's: the m-lines that the
// stack has not seen are put back, rejected.
func (o *offer) finish(answer string) (string, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		return "", err
	}
	for _, m := range d.MediaDescriptions {
		m.Attributes = slices.DeleteFunc(m.Attributes, secondComponent)
	}
	for _, u := range o.unused {
		rejected := &sdp.MediaDescription{
			MediaName: sdp.MediaName{Media: u.media.MediaName.Media, Protos: u.media.MediaName.Protos, Formats: u.media.MediaName.Formats},
			ConnectionInformation: &sdp.ConnectionInformation{
				NetworkType: "IN", AddressType: "IP4", Address: &sdp.Address{Address: "0.0.0.0"},
			},
		}
		if mid, ok := u.media.Attribute("mid"); ok {
			rejected.WithValueAttribute("mid", mid)
		}
		d.MediaDescriptions = slices.Insert(d.MediaDescriptions, min(u.index, len(d.MediaDescriptions)), rejected)
	}
	text, err := d.Marshal()
	return string(text), err
}

// secondComponent tells candidates for a separate RTCP transport, which does not exist.
func secondComponent(a sdp.Attribute) bool {
	fields := strings.Fields(a.Value)
	return a.Key == "candidate" && len(fields) > 1 && fields[1] == "2"
}
