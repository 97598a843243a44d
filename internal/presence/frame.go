package presence

import (
	"bytes"
	"encoding/json"
	"fmt"

	"callboard/internal/live"
)

// participant is one person in a STAGE_STATE.
type participant struct {
	ID           string            `json:"id"`
	UserID       string            `json:"userId"`
	Attributes   map[string]string `json:"attributes"`
	IsLocal      bool              `json:"isLocal"`
	IsPublishing bool              `json:"isPublishing"`
	AudioMuted   bool              `json:"audioMuted"`
	VideoStopped bool              `json:"videoStopped"`
	Capabilities []string          `json:"capabilities"`
	JoinedAt     string            `json:"joinedAt"`
	PublishEpoch int64             `json:"publishEpoch"`
}

type leftPayload struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

type errorPayload struct {
	Code     string `json:"code"`
	Category string `json:"category"`
	Message  string `json:"message"`
}

// exchangedPayload repeats the id of the request.
type exchangedPayload struct {
	ID json.RawMessage `json:"id,omitempty"`
}

func encode(kind string, payload any) []byte { return encodeID(kind, payload, nil) }

func encodeID(kind string, payload any, id json.RawMessage) []byte {
	return marshal(struct {
		Type    string          `json:"type"`
		ID      json.RawMessage `json:"id,omitempty"`
		Payload any             `json:"payload,omitempty"`
	}{kind, id, payload})
}

// encodeState makes the STAGE_STATE frame for one seat. What is the same for
// everybody on the stage is encoded once for all.
func encodeState(seat *live.Attendance, state live.State) []byte {
	others := state.Common.Encoded(func(p live.Person) []byte { return encodePerson(p, false) })
	local := encodePerson(state.Local, true)

	var b bytes.Buffer
	stageID, sessionID, resume := marshal(seat.Stage().ID), marshal(state.Local.SessionID), marshal(seat.ResumeValue())
	fmt.Fprintf(&b, `{"type":"STAGE_STATE","payload":{"sequenceNumber":%d,"version":%d,"stageId":%s,"sessionId":%s,"resume":%s,"participants":[`,
		state.Version, state.Version, stageID, sessionID, resume)
	listed := false
	for i, p := range state.Common.People {
		if i > 0 {
			b.WriteByte(',')
		}
		if p.ID == state.Local.ID {
			listed = true
			b.Write(local)
			continue
		}
		b.Write(others[i])
	}
	if !listed {
		if len(others) > 0 {
			b.WriteByte(',')
		}
		b.Write(local)
	}
	b.WriteByte(']')
	if state.Truncated {
		b.WriteString(`,"truncated":true`)
	}
	b.WriteString("}}")
	return b.Bytes()
}

func encodePerson(p live.Person, local bool) []byte {
	w := participant{
		ID:           p.ID,
		UserID:       p.UserID,
		Attributes:   p.Attributes,
		IsLocal:      local,
		IsPublishing: p.Publishing,
		AudioMuted:   p.AudioMuted,
		VideoStopped: p.VideoStopped,
		Capabilities: []string{},
		JoinedAt:     p.JoinedAt.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		PublishEpoch: p.PublishEpoch,
	}
	if w.Attributes == nil {
		w.Attributes = map[string]string{}
	}
	if p.MayPublish {
		w.Capabilities = append(w.Capabilities, "publish")
	}
	if p.MaySubscribe {
		w.Capabilities = append(w.Capabilities, "subscribe")
	}
	return marshal(w)
}

// marshal is for values that always have a JSON form.
func marshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
