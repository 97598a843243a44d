package desk

import (
	"context"

	"callboard/internal/stage"
)

// erasure is the body of EraseUser.
type erasure struct {
	UserID   string `json:"userId" doc:"whose traces are to go"`
	StageARN string `json:"stageArn,omitempty" doc:"only on this stage, which may have been deleted; all of the account if absent, in every region"`
	Quick    bool   `json:"quick,omitempty" doc:"leave fragments that no query finds in unused parts of the database's file, and spare everybody the seconds that it takes to write it anew"`
}

type eraseUserInput struct {
	Body erasure `body:""`
}

type erased struct {
	Participants int `json:"participants" doc:"how many were erased"`
	Sessions     int `json:"sessions" doc:"in how many sessions"`
}

func erasureRoutes() []route {
	return []route{
		answer("EraseUser", "POST", "/erasures", "Erase user id, attributes and client of all participants that have a user id.", (*Desk).eraseUser),
	}
}

func (d *Desk) eraseUser(ctx context.Context, c *call, in *eraseUserInput) (*erased, error) {
	e := stage.Erasure{UserID: in.Body.UserID, Quick: in.Body.Quick}
	if in.Body.StageARN != "" {
		arn, err := stage.ParseARN(in.Body.StageARN)
		if err != nil || arn.Type != stage.TypeStage {
			return nil, invalid("stageArn must be the ARN of a stage")
		}
		e.Stage = arn
	}
	done, err := d.o.Service.Erase(ctx, c.Caller, e)
	d.reader.forget() // what watchers have been told is in memory
	return &erased{Participants: done.Participants, Sessions: done.Sessions}, err
}
