package guest

import (
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

const (
	packetSize      = 1200 // bytes, with the RTP header
	videoClock      = 90000
	ticksPerPicture = videoClock / framesPerSecond
)

// layer is one video track: the only one, or one quality of simulcast.
type layer struct {
	track      *webrtc.TrackLocalStaticRTP
	packetizer rtp.Packetizer
	draw       draw
	names      map[uint8]string // header extensions that every packet carries
}

// newLayer makes the layer of that rank, the largest picture being 0.
func newLayer(video Video, rank int, stream, rid string) (*layer, error) {
	codec, payloader, draw, err := video.picture(rank)
	if err != nil {
		return nil, err
	}
	var options []func(*webrtc.TrackLocalStaticRTP)
	if rid != "" {
		options = append(options, webrtc.WithRTPStreamID(rid))
	}
	track, err := webrtc.NewTrackLocalStaticRTP(codec, "video", stream, options...)
	if err != nil {
		return nil, err
	}
	// The track sets payload type and SSRC of each packet to what was negotiated.
	packetizer := rtp.NewPacketizer(packetSize, 0, 0, payloader, rtp.NewRandomSequencer(), videoClock)
	return &layer{track: track, packetizer: packetizer, draw: draw}, nil
}

// name has the packets of a simulcast layer say which layer they are, by the
// extensions that were negotiated (RFC 8852): their SSRCs are in no description.
func (l *layer) name(t *webrtc.RTPTransceiver) {
	if l.track.RID() == "" {
		return
	}
	l.names = make(map[uint8]string)
	for _, x := range t.Sender().GetParameters().HeaderExtensions {
		switch x.URI {
		case sdp.SDESMidURI:
			l.names[uint8(x.ID)] = t.Mid()
		case sdp.SDESRTPStreamIDURI:
			l.names[uint8(x.ID)] = l.track.RID()
		}
	}
}

// write sends one picture. Its errors are those of a connection that is ending,
// which the publication notices by itself.
func (l *layer) write(picture []byte) {
	for _, packet := range l.packetizer.Packetize(picture, ticksPerPicture) {
		for id, name := range l.names {
			if packet.SetExtension(id, []byte(name)) != nil {
				return
			}
		}
		if l.track.WriteRTP(packet) != nil {
			return
		}
	}
}
