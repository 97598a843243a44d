package desk

import (
	"encoding/json"
	"strconv"
	"time"

	"callboard/internal/stage"
)

// Names of the messages of a watch. Those of changes are the first five.
const (
	joined         = "joined"
	left           = "left"
	published      = "published"
	unpublished    = "unpublished"
	exchanged      = "exchanged"
	sessionStarted = "session-started"
	sessionEnded   = "session-ended"
	snapshotPart   = "snapshot"
	caughtUp       = "caught-up"
	heartbeat      = "heartbeat" // a comment in an event stream
	goodbye        = "goodbye"
)

var changeNames = map[stage.EventName]string{
	stage.Joined: joined, stage.Left: left, stage.PublishStarted: published, stage.PublishStopped: unpublished,
	stage.TokenExchanged: exchanged,
}

// What a change is to somebody who sees only who matches a filter.
const (
	entered = "entered"
	changed = "changed"
	exited  = "exited"
)

type (
	// rollEntry is a participant in the roll, as ListParticipants has it.
	rollEntry struct {
		ParticipantID  string    `json:"participantId"`
		UserID         string    `json:"userId" doc:"empty if there is none"`
		State          string    `json:"state" enum:"CONNECTED,DISCONNECTED"`
		Published      bool      `json:"published" doc:"whether the participant ever published in this session"`
		RecordingState string    `json:"recordingState" enum:"DISABLED,STARTING,ACTIVE,STOPPING,STOPPED,FAILED"`
		FirstJoinTime  time.Time `json:"firstJoinTime"`
		JoinSequence   int64     `json:"joinSequence" doc:"from 1; the roll is in descending order of it"`
	}

	// snapshotMessage is a part of the roll, the newest joins first.
	snapshotMessage struct {
		No           int64       `json:"no" doc:"the number in the feed that the first part belongs to"`
		Part         int         `json:"part" doc:"from 1; with part 1 everything held before is to be forgotten"`
		Reset        bool        `json:"reset,omitempty" doc:"true in part 1 if the cursor is not one of this watch, so that what happened meanwhile is not known"`
		SessionID    string      `json:"sessionId,omitempty" doc:"absent if the stage has no live session"`
		Participants []rollEntry `json:"participants"`
	}

	// changeMessage is what happened to one participant.
	changeMessage struct {
		View        string    `json:"view" enum:"entered,changed,exited" doc:"what it means for those who match the filter: entered and changed put the participant, exited takes it away, if it is there"`
		No          int64     `json:"no" doc:"the number of the event in the feed"`
		Time        time.Time `json:"time"`
		SessionID   string    `json:"sessionId"`
		Participant rollEntry `json:"participant" doc:"as it is after the event"`
	}

	// sessionMessage is the beginning of a session, with an empty roll, or its end.
	sessionMessage struct {
		No        int64  `json:"no"`
		SessionID string `json:"sessionId"`
	}

	// caughtUpMessage tells that from now on everything is told as it happens.
	caughtUpMessage struct {
		No int64 `json:"no"`
	}

	// goodbyeMessage is the last one of a stream that the server ends.
	goodbyeMessage struct {
		Reason string `json:"reason" enum:"stopping,ended,denied,gone"`
	}

	// watchMessages are the data of all messages, by the name of the message.
	watchMessages struct {
		Snapshot       snapshotMessage `json:"snapshot"`
		CaughtUp       caughtUpMessage `json:"caught-up"`
		Joined         changeMessage   `json:"joined"`
		Left           changeMessage   `json:"left"`
		Published      changeMessage   `json:"published"`
		Unpublished    changeMessage   `json:"unpublished"`
		Exchanged      changeMessage   `json:"exchanged"`
		SessionStarted sessionMessage  `json:"session-started"`
		SessionEnded   sessionMessage  `json:"session-ended"`
		Goodbye        goodbyeMessage  `json:"goodbye"`
	}
)

func toRollEntry(p *stage.Participant) rollEntry {
	state := "DISCONNECTED"
	if p.Connected {
		state = "CONNECTED"
	}
	return rollEntry{p.ID, p.UserID, state, p.Published, recordingStates[p.Recording], p.FirstJoin.UTC(), p.Seq}
}

// appendChange appends a changeMessage but for its beginning, which is the view: that
// is what one watcher has of his own.
func appendChange(b []byte, c *stage.Change) []byte {
	b = append(b, `","no":`...)
	b = strconv.AppendInt(b, c.No, 10)
	b = append(b, `,"time":`...)
	b = appendJSON(b, c.At.UTC())
	b = append(b, `,"sessionId":`...)
	b = appendJSON(b, c.SessionID)
	b = append(b, `,"participant":`...)
	b = appendJSON(b, toRollEntry(&c.New))
	return append(b, '}')
}

func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // none of the types here can fail
	}
	return append(b, text...)
}
