package api

import (
	"context"
	"time"

	"callboard/internal/stage"
)

type (
	createParticipantTokenInput struct {
		StageARN stage.ARN `json:"stageArn" check:"required,arn=stage" iam:"resource"`
		tokenRequest
	}
	createParticipantTokenOutput struct {
		Token participantToken `json:"participantToken"`
	}

	// tokenRequest describes a token; CreateStage takes several.
	tokenRequest struct {
		Duration     *int              `json:"duration" check:"min=1,max=20160"` // minutes
		UserID       string            `json:"userId" check:"min=0,max=128"`
		Attributes   map[string]string `json:"attributes"`
		Capabilities *[]capability     `json:"capabilities" check:"min=0,max=2"` // absent means all
	}
	participantToken struct {
		ParticipantID  string             `json:"participantId"`
		Token          string             `json:"token"`
		UserID         string             `json:"userId"`
		Attributes     map[string]string  `json:"attributes,omitempty"`
		Duration       int                `json:"duration"`
		Capabilities   []stage.Capability `json:"capabilities"`
		ExpirationTime timestamp          `json:"expirationTime"`
	}
)

type capability string

func (capability) values() []string {
	return []string{string(stage.Publish), string(stage.Subscribe)}
}

func (a *API) createParticipantToken(ctx context.Context, c stage.Caller, in *createParticipantTokenInput) (*createParticipantTokenOutput, error) {
	t, err := a.service.CreateToken(ctx, c, in.StageARN, in.toDomain())
	if err != nil {
		return nil, err
	}
	return &createParticipantTokenOutput{toToken(t)}, nil
}

func (r tokenRequest) toDomain() stage.TokenRequest {
	out := stage.TokenRequest{UserID: r.UserID, Attributes: r.Attributes}
	if r.Duration != nil {
		out.Duration = time.Duration(*r.Duration) * time.Minute
	}
	if r.Capabilities != nil {
		out.Capabilities = new(each(*r.Capabilities, func(c capability) stage.Capability { return stage.Capability(c) }))
	}
	return out
}

func toToken(t stage.IssuedToken) participantToken {
	return participantToken{
		ParticipantID:  t.ParticipantID,
		Token:          t.JWT,
		UserID:         t.UserID,
		Attributes:     t.Attributes,
		Duration:       int(t.Duration / time.Minute),
		Capabilities:   append([]stage.Capability{}, t.Capabilities...),
		ExpirationTime: timestamp{t.Expires},
	}
}
