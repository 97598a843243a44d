package stage

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Media is what the participants of a stage send and receive at a moment, as the
// processes that carry it have measured it.
type Media struct {
	At           time.Time          // by the clock that measured
	Participants []ParticipantMedia // by id
	Missing      []string           // processes that did not answer: what they know is not here
}

// ParticipantMedia is one participant's part in it.
type ParticipantMedia struct {
	ID        string
	UserID    string
	Process   string `json:",omitempty"` // that holds it; empty where there is only one
	Connected bool   // on the roll, and present
	Busy      bool   `json:",omitempty"` // its process is writing down what it did, and knows no more than that
	Socket    bool   // has a presence socket

	MayPublish, MaySubscribe bool
	Publishing               bool // media flow or have flowed, and that is on record
	AudioMuted, VideoStopped bool // by its own word, or by the lack of packets

	Publication   *MediaLeg  `json:",omitempty"`
	Subscriptions []MediaLeg `json:",omitempty"`
	Failures      []Failure  `json:",omitempty"` // of the last hour, the newest first
}

// Progress is how far a media connection has come.
type Progress string

// The stages of a connection.
const (
	Unreached  Progress = "UNREACHED"  // no ICE check has come from the client
	Checking   Progress = "CHECKING"   // checks come, and the client does not answer ours
	Handshakes Progress = "HANDSHAKES" // ICE is through, DTLS is not
	Broken     Progress = "BROKEN"     // the DTLS handshake has failed
	Up         Progress = "CONNECTED"
)

// MediaLeg is a publication, or a subscription to one publisher.
type MediaLeg struct {
	Publisher string `json:",omitempty"` // of a subscription
	Process   string `json:",omitempty"` // that carries it, if it is not the participant's
	Progress  Progress
	Made      time.Time // when the offer was answered
	Connected time.Time // zero if it is not yet
	Heard     time.Time // when something authentic came last
	RTT       time.Duration
	Held      bool `json:",omitempty"` // the publisher has stopped, and may come back
	AudioOnly bool `json:",omitempty"`
	Way       Way  `json:",omitzero"` // to a subscriber
	Streams   []MediaStream
}

// Way is what is known of the way to a subscriber, and what that means for its video.
type Way struct {
	Takes   int    `json:",omitempty"` // bits per second that it is known to take, of all that it receives; 0 while nothing is known
	Aim     string `json:",omitempty"` // the layer that is to be sent; empty without layers
	Chosen  bool   `json:",omitempty"` // by the subscriber: it is sent in any case
	Paused  bool   `json:",omitempty"` // video waits, because not even the lowest layer has room
	Lacks   int    `json:",omitempty"` // bits per second of all that it receives, with what had no room: the next layer, or what was chosen
	Limited bool   `json:",omitempty"` // the quota of what one may receive has no room for that, and not the way
}

// MediaStream is the audio, the video, or one layer of the video of a leg. Rates are
// of the last second, measured at most a few seconds ago.
type MediaStream struct {
	Kind      string // audio or video
	Codec     string // opus, H264 or VP8
	Layer     string `json:",omitempty"` // hi, mid or low; empty without layers
	Bitrate   int    // bits per second, with RTP headers and what is sent again
	FrameRate float64
	Width     int
	Height    int
	Packets   uint64
	Lost      uint64  // on the way, whether or not they were sent again
	Loss      float64 // share of the packets lost lately, 0 to 1
	Jitter    time.Duration
	LastAt    time.Time // of the last packet; zero if there never was one
	KeyFrame  time.Time // of the last key frame of a publication

	Awaited          string `json:",omitempty"` // the layer that is to be shown next
	Waits            bool   `json:",omitempty"` // for a key frame
	Reported         bool   `json:",omitempty"` // the receiver has reported
	Retransmitted    uint64 `json:",omitempty"`
	KeyFrameRequests uint64 `json:",omitempty"`
}

// Failure is an attempt to publish or to subscribe that came to nothing.
type Failure struct {
	At        time.Time
	Publisher string    `json:",omitempty"` // of a subscription
	Error     ErrorCode `json:",omitempty"` // why the offer was refused
	Progress  Progress  `json:",omitempty"` // how far the connection had come when it was given up
}

// Media tells what is known of the media on a stage: of one participant, or of all
// for an empty id. Who is not there and never failed is not in it.
func (s *Service) Media(ctx context.Context, c Caller, arn ARN, participantID string) (Media, error) {
	err := s.store.View(ctx, func(tx Tx) error {
		_, err := document(tx, c, arn)
		return err
	})
	if err != nil {
		return Media{}, err
	}
	m, err := s.floor.Inspect(ctx, arn, participantID)
	m.sort()
	return m, err
}

// Add takes over what another process tells.
func (m *Media) Add(other Media) {
	m.Missing = append(m.Missing, other.Missing...)
	at := make(map[string]int, len(m.Participants))
	for i, p := range m.Participants {
		at[p.ID] = i
	}
	for _, p := range other.Participants {
		if i, known := at[p.ID]; known {
			m.Participants[i].merge(p)
			continue
		}
		at[p.ID] = len(m.Participants)
		m.Participants = append(m.Participants, p)
	}
}

// merge joins what two processes know of one participant: the one that holds it, and
// one that carries a subscription of its. Which comes first is chance.
func (p *ParticipantMedia) merge(other ParticipantMedia) {
	if other.Connected && !p.Connected || other.Publication != nil && p.Publication == nil {
		*p, other = other, *p
	}
	p.Failures = append(p.Failures, other.Failures...)
	for _, leg := range other.Subscriptions {
		i := slices.IndexFunc(p.Subscriptions, func(l MediaLeg) bool { return l.Publisher == leg.Publisher })
		switch {
		case i < 0:
			p.Subscriptions = append(p.Subscriptions, leg)
		case p.Subscriptions[i].Streams == nil:
			p.Subscriptions[i] = leg
		}
	}
}

func (m *Media) sort() {
	slices.SortFunc(m.Participants, func(a, b ParticipantMedia) int { return strings.Compare(a.ID, b.ID) })
	slices.Sort(m.Missing)
	for i := range m.Participants {
		p := &m.Participants[i]
		slices.SortFunc(p.Subscriptions, func(a, b MediaLeg) int {
			return cmp.Or(strings.Compare(a.Publisher, b.Publisher), a.Made.Compare(b.Made))
		})
		slices.SortStableFunc(p.Failures, func(a, b Failure) int { return b.At.Compare(a.At) })
	}
}
