package desk

import (
	"context"
	"time"

	"callboard/internal/stage"
)

type (
	queryParticipantsInput struct {
		place
		inquiry
		Sort string `query:"sort" enum:"join,firstJoin,presence" doc:"join: the newest join first (the default); firstJoin: the first join first; presence: who was connected longest first, as of one moment for all pages"`
		pages
	}
	queryParticipantsOutput struct {
		Participants []attendant `json:"participants"`
		NextToken    string      `json:"nextToken,omitempty"`
	}

	getAttendanceInput struct {
		place
		inquiry
		Sort string `query:"sort" enum:"join,firstJoin,presence" doc:"as for participants"`
		pages
	}
	getAttendanceOutput struct {
		Attendance []attendance `json:"attendance"`
		NextToken  string       `json:"nextToken,omitempty"`
	}
)

type (
	// attendant is a participant as of the moment that was asked about.
	attendant struct {
		ParticipantID  string            `json:"participantId"`
		UserID         string            `json:"userId" doc:"empty if there is none"`
		State          string            `json:"state" enum:"CONNECTED,DISCONNECTED"`
		FirstJoinTime  time.Time         `json:"firstJoinTime"`
		Published      bool              `json:"published" doc:"whether the participant ever published in this session"`
		Publishing     bool              `json:"publishing"`
		RecordingState string            `json:"recordingState" enum:"DISABLED,STARTING,ACTIVE,STOPPING,STOPPED,FAILED" doc:"now, whatever the moment asked about"`
		Protocol       stage.Protocol    `json:"protocol" doc:"how the participant published last"`
		Attributes     map[string]string `json:"attributes"`
		JoinSequence   int64             `json:"joinSequence" doc:"from 1, in the order of the first joins"`
		Totals         totals            `json:"totals"`
	}

	// totals add up what somebody did; what still lasts counts up to the moment asked about.
	totals struct {
		ConnectedMs  int64 `json:"connectedMs"`
		PublishingMs int64 `json:"publishingMs"`
		SubscribedMs int64 `json:"subscribedMs" doc:"to anybody: two subscriptions at once count once"`
		Reconnects   int64 `json:"reconnects" doc:"how often the participant came back"`
	}

	// attendance is when a participant did what.
	attendance struct {
		attendant
		Connected        []interval `json:"connected"`
		PublishingTimes  []interval `json:"publishingTimes"`
		Subscribed       []interval `json:"subscribed"`
		IntervalsLeftOut int64      `json:"intervalsLeftOut,omitempty" doc:"how many more intervals there are; the totals have them, and so has an export"`
	}

	// interval is a stretch of time; its end does not belong to it.
	interval struct {
		StartTime time.Time `json:"startTime"`
		EndTime   time.Time `json:"endTime"`
		Open      bool      `json:"open,omitempty" doc:"true if it lasts, so that its end is the moment asked about"`
		Publisher string    `json:"publisherParticipantId,omitempty" doc:"whom the participant was subscribed to"`
	}
)

// intervalsOfOne is how many intervals of one participant are shown.
const intervalsOfOne = 1000

func attendanceRoutes() []route {
	return []route{
		answer("QueryParticipants", "GET", "/stages/{stage}/sessions/{session}/participants",
			"List the participants of a session who meet all conditions, now or at an earlier moment.", (*Desk).queryParticipants),
		answer("GetAttendance", "GET", "/stages/{stage}/sessions/{session}/attendance",
			"List when participants were connected, publishing and subscribed.", (*Desk).getAttendance),
	}
}

func (d *Desk) queryParticipants(ctx context.Context, c *call, in *queryParticipantsInput) (*queryParticipantsOutput, error) {
	list, next, err := d.attendances(ctx, c, in.place, &in.inquiry, in.Sort, &in.pages, 0)
	if err != nil {
		return nil, err
	}
	out := &queryParticipantsOutput{Participants: make([]attendant, len(list)), NextToken: next}
	for i := range list {
		out.Participants[i] = toAttendant(&list[i])
	}
	return out, nil
}

func (d *Desk) getAttendance(ctx context.Context, c *call, in *getAttendanceInput) (*getAttendanceOutput, error) {
	list, next, err := d.attendances(ctx, c, in.place, &in.inquiry, in.Sort, &in.pages, intervalsOfOne)
	if err != nil {
		return nil, err
	}
	out := &getAttendanceOutput{Attendance: make([]attendance, len(list)), NextToken: next}
	for i := range list {
		out.Attendance[i] = toAttendance(&list[i])
	}
	return out, nil
}

var orders = map[string]stage.Order{"": stage.NewestFirst, "join": stage.NewestFirst, "firstJoin": stage.OldestFirst, "presence": stage.LongestFirst}

// attendances reads a page of a list.
func (d *Desk) attendances(ctx context.Context, c *call, at place, q *inquiry, sort string, p *pages, intervals int) (list []stage.Attendance, next string, err error) {
	session, err := d.session(ctx, c, at)
	if err != nil {
		return nil, "", err
	}
	about := []string{session.Stage.String(), session.ID, q.text(), sort}
	after, err := p.spot(c, about...)
	if err != nil {
		return nil, "", err
	}
	list, spot, err := d.o.Service.Attendances(ctx, session, stage.Listing{
		Inquiry: q.meaning(), Order: orders[sort], After: after, Limit: p.limit(), Intervals: intervals,
	})
	return list, sealSpot(c, spot, about...), err
}

func toAttendant(a *stage.Attendance) attendant {
	return attendant{
		ParticipantID:  a.ID,
		UserID:         a.UserID,
		State:          stateOf(a.Connected),
		FirstJoinTime:  a.FirstJoin.UTC(),
		Published:      a.Published,
		Publishing:     a.Presence.Publishing,
		RecordingState: recordingStates[a.Recording],
		Protocol:       a.Detail.Protocol,
		Attributes:     a.Detail.Attributes,
		JoinSequence:   a.Seq,
		Totals: totals{
			ConnectedMs:  a.Presence.ConnectedFor.Milliseconds(),
			PublishingMs: a.Presence.PublishingFor.Milliseconds(),
			SubscribedMs: a.Presence.SubscribedFor.Milliseconds(),
			Reconnects:   a.Presence.Reconnects(),
		},
	}
}

func stateOf(connected bool) string {
	if connected {
		return "CONNECTED"
	}
	return "DISCONNECTED"
}

func toAttendance(a *stage.Attendance) attendance {
	out := attendance{
		attendant: toAttendant(a), IntervalsLeftOut: a.Dropped,
		Connected: []interval{}, PublishingTimes: []interval{}, Subscribed: []interval{},
	}
	for _, i := range a.Intervals {
		list := &out.Connected
		switch i.Activity {
		case stage.Publishing:
			list = &out.PublishingTimes
		case stage.Subscribed:
			list = &out.Subscribed
		}
		*list = append(*list, interval{i.From.UTC(), i.To.UTC(), i.Open, i.Publisher})
	}
	return out
}
