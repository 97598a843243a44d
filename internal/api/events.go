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
		PreviousToken       exchangedToken  `json:"previousToken,omitzero"`
		NewToken            exchangedToken  `json:"newToken,omitzero"`
	}
	exchangedToken struct {
		Capabilities   []stage.Capability `json:"capabilities"`
		Attributes     map[string]string  `json:"attributes,omitempty"`
		UserID         string             `json:"userId"`
		ExpirationTime timestamp          `json:"expirationTime"`
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
	told := event{Name: e.Name, ParticipantID: e.Participant, EventTime: timestamp{e.At}, RemoteParticipantID: e.Remote, ErrorCode: e.Error}
	if x := e.Exchange; x != nil {
		told.PreviousToken, told.NewToken = toExchangedToken(x.Previous), toExchangedToken(x.New)
	}
	return told
}

func toExchangedToken(g stage.Grant) exchangedToken {
	return exchangedToken{g.Capabilities(), g.Attributes, g.UserID, timestamp{g.Expires}}
}
