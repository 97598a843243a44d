package desk

import (
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"callboard/internal/stage"
)

// inquiry is a filter with what can only be asked of one session at rest: what its
// events say.
type inquiry struct {
	filter
	RecordingState string    `query:"recordingState" enum:"DISABLED,STARTING,ACTIVE,STOPPING,STOPPED,FAILED" doc:"only those whose recording is in this state"`
	Publishing     *bool     `query:"publishing" doc:"only those who are publishing now, or only those who are not"`
	JoinedFrom     time.Time `query:"joinedFrom" doc:"only those who first joined at this time or later"`
	JoinedBefore   time.Time `query:"joinedBefore" doc:"only those who first joined before this time"`
	PresentOver    int64     `query:"presentLongerThan" min:"0" max:"31536000" doc:"only those who were connected for more than this many seconds in all"`
	At             time.Time `query:"at" doc:"asks about this moment instead of now: who had joined by then, was connected or publishing or had published"`
}

// recordingStates are the names of the recording states of the domain.
var recordingStates = [...]string{
	stage.RecordingDisabled: "DISABLED",
	stage.RecordingStarting: "STARTING",
	stage.RecordingActive:   "ACTIVE",
	stage.RecordingStopping: "STOPPING",
	stage.RecordingStopped:  "STOPPED",
	stage.RecordingFailed:   "FAILED",
}

// meaning is the inquiry as the domain has it.
func (in *inquiry) meaning() stage.Inquiry {
	q := stage.Inquiry{
		Filter: in.filter.meaning(), Publishing: in.Publishing,
		PresentOver: time.Duration(in.PresentOver) * time.Second, At: in.At,
	}
	q.JoinedFrom, q.JoinedBefore = in.JoinedFrom, in.JoinedBefore
	if in.RecordingState != "" {
		q.Recording = new(stage.RecordingState(slices.Index(recordingStates[:], in.RecordingState)))
	}
	return q
}

// text is the inquiry in one spelling, by which page tokens know that it is still
// the same.
func (in *inquiry) text() string {
	publishing := ""
	if in.Publishing != nil {
		publishing = strconv.FormatBool(*in.Publishing)
	}
	text := in.filter.text()
	for _, part := range []string{in.RecordingState, publishing, spellTime(in.JoinedFrom), spellTime(in.JoinedBefore), strconv.FormatInt(in.PresentOver, 10), spellTime(in.At)} {
		text += "&" + strconv.Quote(part)
	}
	return text
}

func spellTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// pages is what a list takes that comes in pages.
type pages struct {
	MaxResults int    `query:"maxResults" min:"1" max:"100" doc:"how many a page has at most; 50 if not given"`
	NextToken  string `query:"nextToken" max:"1024" doc:"that of the page before"`
}

func (p *pages) limit() int {
	if p.MaxResults == 0 {
		return 50
	}
	return p.MaxResults
}

const spotBytes = 3 * 8

// sealSpot makes the page token of what follows a place; "" if nothing does.
func sealSpot(c *call, next *stage.Spot, about ...string) string {
	if next == nil {
		return ""
	}
	at := int64(0)
	if !next.At.IsZero() {
		at = next.At.UnixMilli()
	}
	b := make([]byte, 0, spotBytes)
	for _, n := range []int64{at, next.Key, next.Seq} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return c.Seal(b, about...)
}

func (p *pages) spot(c *call, about ...string) (spot stage.Spot, err error) {
	if p.NextToken == "" {
		return spot, nil
	}
	b, err := c.Unseal(p.NextToken, about...)
	if err != nil {
		return spot, err
	}
	if len(b) != spotBytes {
		return spot, invalid("Invalid nextToken")
	}
	if at := int64(binary.BigEndian.Uint64(b)); at != 0 {
		spot.At = time.UnixMilli(at).UTC()
	}
	spot.Key, spot.Seq = int64(binary.BigEndian.Uint64(b[8:])), int64(binary.BigEndian.Uint64(b[16:]))
	return spot, nil
}
