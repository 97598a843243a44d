package api

import (
	"context"

	"callboard/internal/stage"
)

type (
	getStageSessionInput struct {
		StageARN  stage.ARN `json:"stageArn" check:"required,arn=stage" iam:"resource"`
		SessionID string    `json:"sessionId" check:"required,session"`
	}
	getStageSessionOutput struct {
		Session stageSession `json:"stageSession"`
	}

	listStageSessionsInput struct {
		StageARN stage.ARN `json:"stageArn" check:"required,arn=stage" iam:"resource"`
		page
	}
	listStageSessionsOutput struct {
		Sessions  []stageSession `json:"stageSessions"`
		NextToken string         `json:"nextToken,omitempty"`
	}

	// stageSession is both StageSession and StageSessionSummary of the model.
	stageSession struct {
		SessionID string    `json:"sessionId"`
		StartTime timestamp `json:"startTime"`
		EndTime   timestamp `json:"endTime,omitzero"` // absent while the session is live
	}
)

func (a *API) getStageSession(ctx context.Context, c stage.Caller, in *getStageSessionInput) (*getStageSessionOutput, error) {
	s, err := a.service.Session(ctx, c, in.StageARN, in.SessionID)
	if err != nil {
		return nil, err
	}
	return &getStageSessionOutput{toSession(s)}, nil
}

func (a *API) listStageSessions(ctx context.Context, c stage.Caller, in *listStageSessionsInput) (*listStageSessionsOutput, error) {
	q := ask("ListStageSessions", c, in.StageARN.String())
	p, err := a.openPage(in.page, q)
	if err != nil {
		return nil, err
	}
	list, next, err := a.service.Sessions(ctx, c, in.StageARN, p)
	if err != nil {
		return nil, err
	}
	return &listStageSessionsOutput{each(list, toSession), a.nextToken(next, q)}, nil
}

func toSession(s stage.Session) stageSession {
	return stageSession{s.ID, timestamp{s.Started}, timestamp{s.Ended}}
}
