package desk

import (
	"context"
	"time"

	"callboard/internal/stage"
)

// place names a session of a stage in a path.
type place struct {
	Stage   string `path:"stage" doc:"the id of the stage, which is the last part of its ARN"`
	Session string `path:"session" doc:"a session id; or live, the session that has not ended; or latest, the one that began last"`
}

type getSessionInput struct{ place }

// session is a session as this API shows it.
type session struct {
	StageARN     string     `json:"stageArn"`
	SessionID    string     `json:"sessionId"`
	StartTime    time.Time  `json:"startTime"`
	EndTime      *time.Time `json:"endTime,omitempty" doc:"absent while the session is live"`
	Participants int64      `json:"participants" doc:"how many ever joined"`
	Connected    int64      `json:"connected" doc:"how many are connected now"`
}

func sessionRoutes() []route {
	return []route{
		answer("GetSession", "GET", "/stages/{stage}/sessions/{session}", "Read a session and its counts.", (*Desk).getSession),
	}
}

func (d *Desk) getSession(ctx context.Context, c *call, in *getSessionInput) (*session, error) {
	s, err := d.session(ctx, c, in.place)
	if err != nil {
		return nil, err
	}
	return toSession(s), nil
}

// session finds the session that a path names.
func (d *Desk) session(ctx context.Context, c *call, at place) (stage.Session, error) {
	arn, err := c.stage()
	if err != nil {
		return stage.Session{}, err
	}
	return d.o.Service.FindSession(ctx, c.Caller, arn, at.Session)
}

func toSession(s stage.Session) *session {
	out := &session{
		StageARN: s.Stage.String(), SessionID: s.ID, StartTime: s.Started.UTC(),
		Participants: s.NextSeq - 1, Connected: s.Connected,
	}
	if !s.Ended.IsZero() {
		out.EndTime = new(s.Ended.UTC())
	}
	return out
}
