package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"callboard/internal/stage"
)

// Envelope is what is posted: an event in the shape that EventBridge gives to
// those of Amazon IVS
// (https://docs.aws.amazon.com/ivs/latest/RealTimeUserGuide/eventbridge.html).
type Envelope struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"` // the same each time and from every process
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     detail   `json:"detail"`
}

// detail is what happened. The members that an event does not have are not there.
type detail struct {
	SessionID        string  `json:"session_id"`
	EventName        string  `json:"event_name"`
	EventTime        string  `json:"event_time"`
	EventTimePrecise string  `json:"event_time_precise,omitempty"`
	UserID           *string `json:"user_id,omitempty"`
	ParticipantID    string  `json:"participant_id,omitempty"`
	Remote           string  `json:"remote_participant_id,omitempty"`
	ErrorCode        string  `json:"error_code,omitempty"`
}

// kind is how one kind of event is told.
type kind struct {
	event  stage.EventName
	name   string // event_name
	aws    bool   // AWS has it as well, under the same name
	nanos  bool   // its event_time has nine digits after the second, and it has no precise one
	person bool   // it is about a participant
}

// kinds has a row for each event of the feed. Those that AWS has are told as
// AWS does; the others come from a source of our own, so that nobody takes them for its.
var kinds = []kind{
	{event: stage.PublishStarted, name: "Participant Published", aws: true, person: true},
	{event: stage.PublishStopped, name: "Participant Unpublished", aws: true, person: true},
	{event: stage.PublishError, name: "Participant Publish Error", aws: true, nanos: true, person: true},
	{event: stage.Joined, name: "Participant Joined", person: true},
	{event: stage.Left, name: "Participant Left", person: true},
	{event: stage.SubscribeStarted, name: "Participant Subscribed", person: true},
	{event: stage.SubscribeStopped, name: "Participant Unsubscribed", person: true},
	{event: stage.TokenExchanged, name: "Participant Token Exchanged", person: true},
	{event: stage.JoinError, name: "Participant Join Error", person: true},
	{event: stage.SubscribeError, name: "Participant Subscribe Error", person: true},
	{event: stage.SessionStarted, name: "Session Started"},
	{event: stage.SessionEnded, name: "Session Ended"},
}

// kindOf gives the row of an event; false if it is of a kind that is told to nobody.
func kindOf(name stage.EventName) (kind, bool) {
	for _, k := range kinds {
		if k.event == name {
			return k, true
		}
	}
	return kind{}, false
}

// NameOf is what hooks are told of an event as, one of [Names].
func NameOf(name stage.EventName) string {
	k, _ := kindOf(name)
	return k.name
}

// Names lists the event names that a hook can ask for.
func Names() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// typeAndSource are detail-type and source of a kind.
func (k kind) typeAndSource() (detailType, source string) {
	if k.aws {
		return "IVS Stage Update", "aws.ivs"
	}
	return "Callboard Stage Update", "callboard"
}

// scene is what an envelope says beside its event: as the store has it now,
// the zero values when it has it no longer.
type scene struct {
	session stage.Session
	userID  string
}

// envelop makes the body of an event. key makes the ids of this database's
// events unlike those of another's.
func envelop(key []byte, k kind, e stage.Event, sc scene) ([]byte, string, error) {
	at := e.At
	if e.Name == stage.SessionEnded && !sc.session.Ended.IsZero() {
		at = sc.session.Ended
	}
	detailType, source := k.typeAndSource()
	env := Envelope{
		Version: "0", ID: eventID(key, e), DetailType: detailType, Source: source,
		Account: e.Stage.Account, Region: e.Stage.Region, Resources: []string{e.Stage.String()},
		Time: at.UTC().Format("2006-01-02T15:04:05Z"),
		Detail: detail{
			SessionID: sc.session.ID, EventName: k.name, ParticipantID: e.Participant, Remote: e.Remote, ErrorCode: string(e.Error),
		},
	}
	env.Detail.setTime(at.UTC(), k.nanos)
	if k.person {
		env.Detail.UserID = &sc.userID
	}
	body, err := json.Marshal(env)
	return body, env.ID, err
}

func (d *detail) setTime(at time.Time, nanos bool) {
	if nanos {
		d.EventTime = at.Format("2006-01-02T15:04:05.000000000Z")
		return
	}
	d.EventTime = at.Format("2006-01-02T15:04:05Z")
	d.EventTimePrecise = at.Format("2006-01-02T15:04:05.000000Z")
}

// eventID gives the UUID of an event: of its number, and of what tells it from
// an event that had the number before everything was forgotten.
func eventID(key []byte, e stage.Event) string {
	mac := hmac.New(sha256.New, key)
	head := binary.BigEndian.AppendUint64(nil, uint64(e.No))
	mac.Write(binary.BigEndian.AppendUint64(head, uint64(e.At.UnixMilli())))
	mac.Write([]byte(e.Name))
	var id uuid.UUID
	copy(id[:], mac.Sum(nil))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: made in a way of our own (RFC 9562)
	return id.String()
}
