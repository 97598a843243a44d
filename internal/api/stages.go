package api

import (
	"context"

	"callboard/internal/stage"
)

type (
	createStageInput struct {
		Name      string            `json:"name" check:"name"`
		Tokens    []tokenRequest    `json:"participantTokenConfigurations" check:"min=0,max=12"`
		Tags      map[string]string `json:"tags" check:"tags"`
		Recording *recordingInput   `json:"autoParticipantRecordingConfiguration"`
	}
	createStageOutput struct {
		Stage  fullStage          `json:"stage"`
		Tokens []participantToken `json:"participantTokens,omitempty"`
	}

	getStageInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=stage" iam:"resource"`
	}
	getStageOutput struct {
		Stage fullStage `json:"stage"`
	}

	updateStageInput struct {
		ARN       stage.ARN       `json:"arn" check:"required,arn=stage" iam:"resource"`
		Name      *string         `json:"name" check:"name"`
		Recording *recordingInput `json:"autoParticipantRecordingConfiguration"`
	}
	updateStageOutput struct {
		Stage fullStage `json:"stage"`
	}

	deleteStageInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=stage" iam:"resource"`
	}

	listStagesInput struct {
		page
	}
	listStagesOutput struct {
		Stages    []stageSummary `json:"stages"`
		NextToken string         `json:"nextToken,omitempty"`
	}
)

type (
	stageSummary struct {
		ARN             string            `json:"arn"`
		Name            string            `json:"name"`
		ActiveSessionID string            `json:"activeSessionId,omitempty"`
		Tags            map[string]string `json:"tags"`
	}
	fullStage struct {
		stageSummary
		Recording recordingOutput `json:"autoParticipantRecordingConfiguration"`
		Endpoints endpoints       `json:"endpoints"`
	}
	endpoints struct {
		Events string `json:"events"`
		WHIP   string `json:"whip"`
	}
)

func (a *API) createStage(ctx context.Context, c stage.Caller, in *createStageInput) (*createStageOutput, error) {
	n := stage.NewStage{Name: in.Name, Tags: in.Tags, Recording: in.Recording.change()}
	for _, t := range in.Tokens {
		n.Tokens = append(n.Tokens, t.toDomain())
	}
	s, tokens, err := a.service.CreateStage(ctx, c, n)
	if err != nil {
		return nil, err
	}
	return &createStageOutput{Stage: toStage(s), Tokens: each(tokens, toToken)}, nil
}

func (a *API) getStage(ctx context.Context, c stage.Caller, in *getStageInput) (*getStageOutput, error) {
	s, err := a.service.Stage(ctx, c, in.ARN)
	if err != nil {
		return nil, err
	}
	return &getStageOutput{toStage(s)}, nil
}

func (a *API) listStages(ctx context.Context, c stage.Caller, in *listStagesInput) (*listStagesOutput, error) {
	q := ask("ListStages", c)
	p, err := a.openPage(in.page, q)
	if err != nil {
		return nil, err
	}
	list, next, err := a.service.Stages(ctx, c, p)
	if err != nil {
		return nil, err
	}
	return &listStagesOutput{each(list, toStageSummary), a.nextToken(next, q)}, nil
}

func (a *API) updateStage(ctx context.Context, c stage.Caller, in *updateStageInput) (*updateStageOutput, error) {
	s, err := a.service.UpdateStage(ctx, c, in.ARN, stage.StageChange{Name: in.Name, Recording: in.Recording.change()})
	if err != nil {
		return nil, err
	}
	return &updateStageOutput{toStage(s)}, nil
}

func (a *API) deleteStage(ctx context.Context, c stage.Caller, in *deleteStageInput) (*nothing, error) {
	return &nothing{}, a.service.DeleteStage(ctx, c, in.ARN)
}

func toStage(s stage.Stage) fullStage {
	return fullStage{toStageSummary(s), toRecording(s.Recording), endpoints{s.Endpoints.Events, s.Endpoints.WHIP}}
}

func toStageSummary(s stage.Stage) stageSummary {
	return stageSummary{s.ARN.String(), s.Name, s.ActiveSessionID, toTags(s.Tags)}
}

// each turns a list of the domain into one of the wire, which is never null.
func each[From, To any](list []From, turn func(From) To) []To {
	out := make([]To, len(list))
	for i, v := range list {
		out[i] = turn(v)
	}
	return out
}
