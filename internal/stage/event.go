package stage

import (
	"context"
	"time"
)

// EventName is what happened to a participant, in the API's words.
type EventName string

// The events.
const (
	Joined           EventName = "JOINED"
	Left             EventName = "LEFT"
	PublishStarted   EventName = "PUBLISH_STARTED"
	PublishStopped   EventName = "PUBLISH_STOPPED"
	SubscribeStarted EventName = "SUBSCRIBE_STARTED"
	SubscribeStopped EventName = "SUBSCRIBE_STOPPED"
	TokenExchanged   EventName = "TOKEN_EXCHANGED"
	JoinError        EventName = "JOIN_ERROR"
	PublishError     EventName = "PUBLISH_ERROR"
	SubscribeError   EventName = "SUBSCRIBE_ERROR"
)

// The events of a session itself, which have no participant. They are in the
// feed and in no list.
const (
	SessionStarted EventName = "SESSION_STARTED"
	SessionEnded   EventName = "SESSION_ENDED" // dated when that was found out; the session has the time of its end
)

// ErrorCode is the errorCode of a JOIN_ERROR, PUBLISH_ERROR or SUBSCRIBE_ERROR.
type ErrorCode string

// The error codes.
const (
	InsufficientCapabilities ErrorCode = "INSUFFICIENT_CAPABILITIES"
	QuotaExceeded            ErrorCode = "QUOTA_EXCEEDED"
	PublisherNotFound        ErrorCode = "PUBLISHER_NOT_FOUND"
	BitrateExceeded          ErrorCode = "BITRATE_EXCEEDED"
	ResolutionExceeded       ErrorCode = "RESOLUTION_EXCEEDED"
	StreamDurationExceeded   ErrorCode = "STREAM_DURATION_EXCEEDED"
	InvalidAudioCodec        ErrorCode = "INVALID_AUDIO_CODEC"
	InvalidVideoCodec        ErrorCode = "INVALID_VIDEO_CODEC"
	InvalidProtocol          ErrorCode = "INVALID_PROTOCOL"
	InvalidStreamKey         ErrorCode = "INVALID_STREAM_KEY"
	ReuseOfStreamKey         ErrorCode = "REUSE_OF_STREAM_KEY"
	BFramePresent            ErrorCode = "B_FRAME_PRESENT"
	InvalidInput             ErrorCode = "INVALID_INPUT"
	InternalServerException  ErrorCode = "INTERNAL_SERVER_EXCEPTION"
)

// Event is one fact about a participant, or about a session as a whole:
// numbered, never changed.
type Event struct {
	No          int64 // position in the feed
	At          time.Time
	Stage       ARN
	Session     int64  // Session.No
	Participant string // "" in the events of a session itself
	Name        EventName
	Remote      string    // the publisher, on subscribe events
	Error       ErrorCode // on the three error events
	Exchange    *Exchange // with TokenExchanged; nil while its session is being removed
}

// Events lists what happened to a participant in a session, newest first;
// empty when unknown.
func (s *Service) Events(ctx context.Context, c Caller, arn ARN, sessionID, id string, p Page) (list []Event, next int64, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		session, known, err := lookup(tx, c, arn, sessionID)
		if err != nil || !known || id == "" { // whose events are the session's own
			return err
		}
		list, err = tx.Events(EventQuery{Session: session.No, Participant: id, Before: p.After, Limit: p.Limit + 1})
		if err != nil {
			return err
		}
		list, next = cut(list, p.Limit, func(e Event) int64 { return e.No })
		return nil
	})
	return list, next, err
}
