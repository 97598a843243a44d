package sfu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

const absSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"

// readExtensions lists the header extensions of a publisher that we make use of. To
// subscribers transport-wide numbers are sent and nothing else.
func readExtensions(desc *sdp.SessionDescription, m *sdp.MediaDescription, k kind, d direction) []extension {
	useful := []string{sdp.SDESMidURI, sdp.TransportCCURI, absSendTime, sdp.AudioLevelURI}
	if d == receiving {
		useful = []string{sdp.TransportCCURI}
	} else if k == video {
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
// sections, and abs-send-time where transport-wide sequence numbers serve better.
func (o *offer) settleExtensions() {
	meaning := map[int]string{}
	transport := false
	for _, s := range o.sections {
		transport = transport || slices.ContainsFunc(s.extensions, func(e extension) bool { return e.uri == sdp.TransportCCURI })
	}
	for i := range o.sections {
		s := &o.sections[i]
		s.extensions = slices.DeleteFunc(s.extensions, func(e extension) bool {
			other, known := meaning[e.id]
			if !known {
				meaning[e.id] = e.uri
			}
			return known && other != e.uri || e.uri == absSendTime && transport
		})
	}
}

// settleNumbering decides whether what is sent in a section has transport-wide numbers. They need reports about them, and
// retransmissions in a stream of their own: where the same packet has to be sent again, it cannot have another number.
func (s *section) settleNumbering() {
	again := s.codec.rtx == 0 && slices.Contains(s.codec.feedback, "nack")
	if again || len(s.extensions) == 0 || !slices.Contains(s.codec.feedback, transportCC) {
		s.extensions = nil
		s.codec.without(transportCC)
		return
	}
	s.codec.without(remb)
}

// numbering is the id of the header extension for transport-wide numbers; 0 without them.
func (s *section) numbering() uint8 {
	for _, x := range s.extensions {
		if x.uri == sdp.TransportCCURI {
			return uint8(x.id)
		}
	}
	return 0
}

// extensions are the numbers of those that we read.
func (o *offer) extensions() (e extensions) {
	for _, s := range o.sections {
		for _, x := range s.extensions {
			switch x.uri {
			case sdp.TransportCCURI:
				e.transport = uint8(x.id)
			case sdp.SDESRTPStreamIDURI:
				e.rid = uint8(x.id)
			case sdp.SDESRepairRTPStreamIDURI:
				e.repaired = uint8(x.id)
			}
		}
	}
	return e
}

// answer writes the complete answer. Of each section it accepts the chosen format; what is neither audio nor
// video is rejected.
func (o *offer) answer(local credentials, p *port) (string, error) {
	d := &sdp.SessionDescription{
		Origin:           sdp.Origin{Username: "-", SessionID: rand.Uint64() >> 2, SessionVersion: 1, NetworkType: "IN", AddressType: "IP4", UnicastAddress: "0.0.0.0"},
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
	d.WithValueAttribute("ice-options", "trickle").WithValueAttribute("msid-semantic", "WMS *")
	for i := range o.sections {
		m := o.media(&o.sections[i], local, p.identity.fingerprint)
		if i == 0 {
			for _, c := range p.candidates() {
				m.WithValueAttribute("candidate", c)
			}
			m.WithPropertyAttribute("end-of-candidates")
		}
		d.WithMedia(m)
	}
	for _, u := range o.unused {
		d.MediaDescriptions = slices.Insert(d.MediaDescriptions, min(u.index, len(d.MediaDescriptions)), u.rejected())
	}
	text, err := d.Marshal()
	return string(text), err
}

var unspecified = &sdp.ConnectionInformation{NetworkType: "IN", AddressType: "IP4", Address: &sdp.Address{Address: "0.0.0.0"}}

func (o *offer) media(s *section, local credentials, fingerprint string) *sdp.MediaDescription {
	m := &sdp.MediaDescription{MediaName: s.name(), ConnectionInformation: unspecified}
	m.WithValueAttribute("setup", o.handshake.setup()).WithValueAttribute("mid", s.mid).WithICECredentials(local.ufrag, local.pwd).
		WithValueAttribute("fingerprint", fingerprint).WithPropertyAttribute("rtcp-mux").WithPropertyAttribute("rtcp-rsize")
	s.codec.describe(m)
	for _, e := range s.extensions {
		m.WithValueAttribute("extmap", fmt.Sprintf("%d %s", e.id, e.uri))
	}
	if o.direction == receiving {
		s.describe(m, o.stream)
		return m.WithPropertyAttribute(string(sending))
	}
	for _, rid := range s.rids {
		m.WithValueAttribute("rid", rid+" recv")
	}
	if len(s.rids) > 0 {
		m.WithValueAttribute("simulcast", "recv "+strings.Join(s.rids, ";"))
	}
	return m.WithPropertyAttribute(string(receiving))
}

// name is the section's m-line.
func (s *section) name() sdp.MediaName {
	n := sdp.MediaName{
		Media: string(s.kind), Port: sdp.RangedPort{Value: 9},
		Protos: []string{"UDP", "TLS", "RTP", "SAVPF"}, Formats: []string{strconv.Itoa(int(s.codec.payload))},
	}
	if s.codec.rtx != 0 {
		n.Formats = append(n.Formats, strconv.Itoa(int(s.codec.rtx)))
	}
	return n
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
		m.WithValueAttribute("rtcp-fb", fmt.Sprintf("%d %s", c.payload, f))
	}
	if c.rtx != 0 {
		m.WithValueAttribute("rtpmap", fmt.Sprintf("%d rtx/%d", c.rtx, c.clock))
		m.WithValueAttribute("fmtp", fmt.Sprintf("%d apt=%d", c.rtx, c.payload))
	}
}

// describe declares the streams that we send.
func (s *section) describe(m *sdp.MediaDescription, stream string) {
	msid := stream + " " + string(s.kind)
	m.WithValueAttribute("msid", msid)
	if s.rtx != 0 {
		m.WithValueAttribute("ssrc-group", fmt.Sprintf("FID %d %d", s.ssrc, s.rtx))
	}
	for _, ssrc := range []uint32{s.ssrc, s.rtx} {
		if ssrc != 0 {
			m.WithValueAttribute("ssrc", fmt.Sprintf("%d cname:%s", ssrc, stream)).WithValueAttribute("ssrc", fmt.Sprintf("%d msid:%s", ssrc, msid))
		}
	}
}

func (u unused) rejected() *sdp.MediaDescription {
	m := &sdp.MediaDescription{
		MediaName:             sdp.MediaName{Media: u.media.MediaName.Media, Protos: u.media.MediaName.Protos, Formats: u.media.MediaName.Formats},
		ConnectionInformation: unspecified,
	}
	if mid, ok := u.media.Attribute("mid"); ok {
		m.WithValueAttribute("mid", mid)
	}
	return m
}
