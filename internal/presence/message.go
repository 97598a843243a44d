package presence

import (
	"encoding/json"
	"errors"
	"fmt"

	"callboard/internal/stage"
)

// message is what a client says. Members that do not belong to its kind are empty.
type message struct {
	kind string
	id   json.RawMessage // repeated in the reply
	body
}

// body is the content of a message; IVS clients put it beside the type, our
// own protocol into the payload.
type body struct {
	AudioMuted     *bool  `json:"audioMuted"`
	VideoStopped   *bool  `json:"videoStopped"`
	Resume         string `json:"resume"`
	SDKVersion     string `json:"sdkVersion"`
	OSName         string `json:"osName"`
	OSVersion      string `json:"osVersion"`
	BrowserName    string `json:"browserName"`
	BrowserVersion string `json:"browserVersion"`
	Token          string `json:"token"`

	// of Amazon's SDKs
	NewToken  string          `json:"newToken"`
	RequestID json.RawMessage `json:"requestId"`
	TraceID   json.RawMessage `json:"traceId"`
}

func (b body) client() stage.Client {
	return stage.Client{
		OSName:         b.OSName,
		OSVersion:      b.OSVersion,
		BrowserName:    b.BrowserName,
		BrowserVersion: b.BrowserVersion,
		SDKVersion:     b.SDKVersion,
	}
}

// decode reads a client's frame. Types that we do not know are no error, and
// what else is in such a message is nobody's business.
func decode(data []byte) (message, error) {
	var envelope struct {
		Type    *string         `json:"type"`
		ID      json.RawMessage `json:"id"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(data, &envelope); err != nil {
		return message{}, fmt.Errorf("decoding a message: %w", err)
	}
	if envelope.Type == nil {
		return message{}, errors.New("a message without a type")
	}
	m := message{kind: *envelope.Type, id: envelope.ID}
	var err error
	switch m.kind {
	case "SET_STATE", "MUTE", "HELLO", "EXCHANGE_TOKEN", ivsExchange:
		err = json.Unmarshal(data, &m.body)
		if err == nil && len(envelope.Payload) > 0 {
			err = json.Unmarshal(envelope.Payload, &m.body)
		}
	}
	if err != nil {
		return message{}, fmt.Errorf("decoding a %s: %w", m.kind, err)
	}
	return m, nil
}
