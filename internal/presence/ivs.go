package presence

import (
	"encoding/json"

	"callboard/internal/stage"
)

// Amazon's SDKs know frames of their own beside STAGE_STATE; their names and
// shapes were observed on the wire (docs/interop.md). Without them an SDK takes
// every goodbye for a lost connection, and comes back again and again.
const (
	ivsJoinError  = "aws:ivs:JOIN_ERROR"
	ivsDisconnect = "aws:ivs:DISCONNECT"
	ivsExchange   = "aws:ivs:EXCHANGE_TOKEN"

	// ivsAsksForErrors is the query parameter with which an SDK asks to be told
	// on the socket why it may not join.
	ivsAsksForErrors = "error_over_ws"
)

type ivsWhy struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// ivsRefusal is the frame for somebody who may not join. It is false for what
// may be otherwise in a moment: an SDK that gets such a frame gives up, and one
// whose upgrade is refused tries again.
func ivsRefusal(p problem) (frame []byte, final bool) {
	code := p.code
	switch code {
	case stage.CodeTokenMalformed:
		code = "TOKEN_INVALID"
	case stage.CodeTokenExpired, stage.CodeTokenNotAllowed, stage.CodeStageDeleted, stage.CodeParticipantDisconnected:
	default:
		return nil, false
	}
	return encode(ivsJoinError, ivsWhy{Code: code, Message: p.detail}), true
}

// ivsExchanged answers a request for an exchange. An SDK that sees an error
// leaves by itself.
type ivsExchanged struct {
	RequestID json.RawMessage `json:"requestId,omitempty"`
	TraceID   json.RawMessage `json:"traceId,omitempty"`
	Error     *ivsWhy         `json:"error,omitempty"`
}

func ivsAnswer(m message, e *errorPayload) []byte {
	answer := ivsExchanged{RequestID: m.RequestID, TraceID: m.TraceID}
	if e != nil {
		answer.Error = &ivsWhy{Code: e.Code, Message: e.Message}
	}
	return encode(ivsExchange, answer)
}

// ivsGoodbye is the frame for somebody who has to go; nil when coming back is right.
func ivsGoodbye(reason stage.Reason) []byte {
	switch reason {
	case stage.ReasonTokenReused:
		return encode(ivsDisconnect, ivsWhy{Code: "TOKEN_REUSED"})
	case stage.ReasonStageDeleted:
		return encode(ivsDisconnect, ivsWhy{Code: stage.CodeStageDeleted})
	case stage.ReasonParticipantDisconnected:
		return encode(ivsDisconnect, ivsWhy{Code: stage.CodeParticipantDisconnected})
	}
	return nil
}
