package desk

import (
	"context"
	"time"

	"callboard/internal/stage"
)

type (
	getMediaInput struct {
		Stage       string `path:"stage" doc:"the id of the stage, which is the last part of its ARN"`
		Participant string `query:"participant" max:"64" doc:"only this participant"`
	}

	// media is what participants send and receive.
	media struct {
		StageARN     string             `json:"stageArn"`
		Time         time.Time          `json:"time"`
		Complete     bool               `json:"complete" doc:"false if a server did not answer, so that what it carries is missing"`
		Missing      []string           `json:"missing,omitempty" doc:"the servers that did not answer"`
		Participants []participantMedia `json:"participants" doc:"who is present, and whose attempts failed within the last hour; by id"`
	}

	participantMedia struct {
		ParticipantID string     `json:"participantId"`
		UserID        string     `json:"userId" doc:"empty if there is none"`
		Server        string     `json:"server,omitempty" doc:"which one has the participant, where there are several"`
		Connected     bool       `json:"connected"`
		Busy          bool       `json:"busy,omitempty" doc:"true if its server is writing down what it did and knows no more than that"`
		Presence      bool       `json:"presence" doc:"whether it has a presence socket"`
		AudioMuted    bool       `json:"audioMuted" doc:"by its own word, or because no audio has come for 5 seconds"`
		VideoStopped  bool       `json:"videoStopped" doc:"by its own word, or because no video has come for 5 seconds"`
		Publication   *mediaLeg  `json:"publication,omitempty"`
		Subscriptions []mediaLeg `json:"subscriptions"`
		Failures      []failed   `json:"failures,omitempty" doc:"attempts of the last hour that came to nothing, the newest first; at most 4"`
	}

	// mediaLeg is one media connection.
	mediaLeg struct {
		Publisher   string        `json:"publisherParticipantId,omitempty" doc:"of a subscription"`
		Server      string        `json:"server,omitempty" doc:"which one carries it, if not the participant's"`
		State       string        `json:"state" enum:"UNREACHED,CHECKING,HANDSHAKES,BROKEN,CONNECTED,UNKNOWN" doc:"UNREACHED: no ICE check has come; CHECKING: checks come, ours are not answered; HANDSHAKES: DTLS is not through; BROKEN: DTLS has failed; UNKNOWN: the server that carries it did not answer"`
		StartTime   *time.Time    `json:"startTime,omitempty" doc:"when the offer was answered"`
		ConnectTime *time.Time    `json:"connectTime,omitempty"`
		HeardTime   *time.Time    `json:"heardTime,omitempty" doc:"when anything came from the client last"`
		RTTMs       *float64      `json:"rttMs,omitempty" doc:"the time of a round trip"`
		Held        bool          `json:"held,omitempty" doc:"true while the publisher has stopped and may come back"`
		AudioOnly   bool          `json:"audioOnly,omitempty"`
		Way         *way          `json:"way,omitempty" doc:"of a subscription: what is known of the bandwidth, and what follows from it"`
		Bitrate     int64         `json:"bitrate" doc:"bits per second, all streams together"`
		Streams     []mediaStream `json:"streams" doc:"audio, and each layer of the video"`
	}

	// way is what is known of the way to a subscriber.
	way struct {
		EstimatedBitrate int64  `json:"estimatedBitrate,omitempty" doc:"bits per second that the way is known to take, of all subscriptions of the participant together; it may take more, which is found out when more is to be sent; absent while nothing is known, as of clients that report nothing"`
		AimedLayer       string `json:"aimedLayer,omitempty" doc:"the layer that is to be sent; absent without simulcast, and without video"`
		LayerChosen      bool   `json:"layerChosen,omitempty" doc:"true if the subscriber has chosen it, so that it is sent whatever the bandwidth"`
		VideoPaused      bool   `json:"videoPaused,omitempty" doc:"true while video waits because not even the lowest layer has room"`
		Limited          bool   `json:"limited,omitempty" doc:"true if it is the quota download-bitrate that has no room, and not the way"`
		LackingBitrate   int64  `json:"lackingBitrate,omitempty" doc:"bits per second that all subscriptions of the participant together would take with what had no room when it was tried last: the next layer, or what was chosen"`
	}

	mediaStream struct {
		MediaType        string     `json:"mediaType" enum:"audio,video"`
		Codec            string     `json:"codec" enum:"opus,H264,VP8"`
		Layer            string     `json:"layer,omitempty" doc:"hi, mid or low; absent without simulcast"`
		Bitrate          int64      `json:"bitrate" doc:"bits per second in the last second, with RTP headers and what is sent again"`
		FrameRate        float64    `json:"frameRate,omitempty" doc:"frames per second that came in"`
		Width            int64      `json:"width,omitempty"`
		Height           int64      `json:"height,omitempty"`
		Packets          int64      `json:"packets"`
		PacketsLost      int64      `json:"packetsLost" doc:"on the way, whether or not they were sent again"`
		Loss             float64    `json:"loss" doc:"share of the packets lost lately, 0 to 1; of a subscription as the receiver tells"`
		JitterMs         float64    `json:"jitterMs"`
		LastPacketTime   *time.Time `json:"lastPacketTime,omitempty"`
		KeyFrameTime     *time.Time `json:"keyFrameTime,omitempty" doc:"when the last key frame came in"`
		WaitsForKeyFrame bool       `json:"waitsForKeyFrame,omitempty" doc:"of a subscription: true until the wanted layer can begin"`
		AwaitedLayer     string     `json:"awaitedLayer,omitempty" doc:"which layer that is"`
		Retransmitted    int64      `json:"retransmitted,omitempty" doc:"packets sent again because the receiver missed them"`
		KeyFrameRequests int64      `json:"keyFrameRequests,omitempty" doc:"of the receiver"`
	}

	// failed is an attempt that came to nothing.
	failed struct {
		Time      time.Time `json:"time"`
		Publisher string    `json:"publisherParticipantId,omitempty" doc:"whom the participant wanted to subscribe to; absent if it wanted to publish"`
		ErrorCode string    `json:"errorCode,omitempty" doc:"why the offer was refused, as events have it"`
		State     string    `json:"state,omitempty" doc:"how far the connection had come when it was given up"`
	}
)

func mediaRoutes() []route {
	return []route{
		answer("GetMedia", "GET", "/stages/{stage}/media", "Read what participants send and receive now: bitrate, resolution, loss, delay.", (*Desk).getMedia),
	}
}

func (d *Desk) getMedia(ctx context.Context, c *call, in *getMediaInput) (*media, error) {
	arn, err := c.stage()
	if err != nil {
		return nil, err
	}
	m, err := d.o.Service.Media(ctx, c.Caller, arn, in.Participant)
	if err != nil {
		return nil, err
	}
	out := &media{StageARN: arn.String(), Time: m.At.UTC(), Complete: m.Missing == nil, Missing: m.Missing, Participants: []participantMedia{}}
	for i := range m.Participants {
		out.Participants = append(out.Participants, toParticipantMedia(&m.Participants[i]))
	}
	return out, nil
}

func toParticipantMedia(p *stage.ParticipantMedia) participantMedia {
	out := participantMedia{
		ParticipantID: p.ID, UserID: p.UserID, Server: p.Process, Connected: p.Connected, Busy: p.Busy, Presence: p.Socket,
		AudioMuted: p.AudioMuted, VideoStopped: p.VideoStopped, Subscriptions: []mediaLeg{},
	}
	if p.Publication != nil {
		out.Publication = new(toMediaLeg(p.Publication))
	}
	for i := range p.Subscriptions {
		out.Subscriptions = append(out.Subscriptions, toMediaLeg(&p.Subscriptions[i]))
	}
	for _, f := range p.Failures {
		out.Failures = append(out.Failures, failed{f.At.UTC(), f.Publisher, string(f.Error), string(f.Progress)})
	}
	return out
}

func toMediaLeg(l *stage.MediaLeg) mediaLeg {
	out := mediaLeg{
		Publisher: l.Publisher, Server: l.Process, State: string(l.Progress), Held: l.Held, AudioOnly: l.AudioOnly,
		StartTime: moment(l.Made), ConnectTime: moment(l.Connected), HeardTime: moment(l.Heard), Streams: []mediaStream{},
	}
	if out.State == "" {
		out.State = "UNKNOWN"
	}
	if l.RTT > 0 {
		out.RTTMs = new(milliseconds(l.RTT))
	}
	if l.Publisher != "" {
		w := &l.Way
		out.Way = &way{int64(w.Takes), w.Aim, w.Chosen, w.Paused, w.Limited, int64(w.Lacks)}
	}
	for i := range l.Streams {
		out.Bitrate += int64(l.Streams[i].Bitrate)
		out.Streams = append(out.Streams, toMediaStream(&l.Streams[i]))
	}
	return out
}

func toMediaStream(s *stage.MediaStream) mediaStream {
	return mediaStream{
		MediaType: s.Kind, Codec: s.Codec, Layer: s.Layer, Bitrate: int64(s.Bitrate), FrameRate: s.FrameRate,
		Width: int64(s.Width), Height: int64(s.Height), Packets: int64(s.Packets), PacketsLost: int64(s.Lost), Loss: s.Loss,
		JitterMs: milliseconds(s.Jitter), LastPacketTime: moment(s.LastAt), KeyFrameTime: moment(s.KeyFrame),
		WaitsForKeyFrame: s.Waits, AwaitedLayer: s.Awaited, Retransmitted: int64(s.Retransmitted), KeyFrameRequests: int64(s.KeyFrameRequests),
	}
}

// moment is nil for a time that never was.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
