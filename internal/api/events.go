package api

import (
	"context"

	"callboard/internal/stage"
)

type (
	listParticipantEventsInput struct {
		StageARN      stage.ARN `json:"stageArn" check:"required,arn=stage" iam:"resource"`
		SessionID     string    `json:"sessionId" check:"required,session"`
		ParticipantID string    `json:"participantId" check:"required,id"`
		page
	}
	listParticipantEventsOutput struct {
		Events    []event `json:"events"`
		NextToken string  `json:"nextToken,omitempty"`
	}
	event struct {
		Name                stage.EventName `json:"name"`
		ParticipantID       string          `json:"participantId"`
		EventTime           timestamp       `json:"eventTime"`
		RemoteParticipantID string          `json:"remoteParticipantId,omitempty"`
		ErrorCode           stage.ErrorCode `json:"errorCode,omitempty"`
	}
)

func (a *API) listParticipantEvents(ctx context.Context, c stage.Caller, in *listParticipantEventsInput) (*listParticipantEventsOutput, error) {
	q := ask("ListParticipantEvents", c, in.StageARN.String(), in.SessionID, in.ParticipantID)
	p, err := a.openPage(in.page, q)
	if err != nil {
		return nil, err
	}
	list, next, err := a.service.Events(ctx, c, in.StageARN, in.SessionID, in.ParticipantID, p)
	if err != nil {
		return nil, err
	}
	return &listParticipantEventsOutput{each(list, toEvent), a.nextToken(next, q)}, nil
}

func toEvent(e stage.Event) event {
	return event{e.Name, e.Participant, timestamp{e.At}, e.Remote, e.Error}
}
