package api

import (
	"context"

	"callboard/internal/stage"
)

type (
	createIngestConfigurationInput struct {
		Name            string            `json:"name" check:"name"`
		StageARN        string            `json:"stageArn" check:"arn=stage-or-none"`
		UserID          string            `json:"userId" check:"min=0,max=128"`
		Attributes      map[string]string `json:"attributes"`
		IngestProtocol  ingestProtocol    `json:"ingestProtocol" check:"required,anycase"`
		InsecureIngest  bool              `json:"insecureIngest"`
		RedundantIngest bool              `json:"redundantIngest"`
		Tags            map[string]string `json:"tags" check:"tags"`
	}
	createIngestConfigurationOutput struct {
		IngestConfiguration ingestConfiguration `json:"ingestConfiguration"`
	}

	getIngestConfigurationInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=ingest-configuration" iam:"resource"`
	}
	getIngestConfigurationOutput struct {
		IngestConfiguration ingestConfiguration `json:"ingestConfiguration"`
	}

	listIngestConfigurationsInput struct {
		StageARN *stage.ARN   `json:"filterByStageArn" check:"arn=stage"`
		State    *ingestState `json:"filterByState"`
		page
	}
	listIngestConfigurationsOutput struct {
		IngestConfigurations []ingestConfigurationSummary `json:"ingestConfigurations"`
		NextToken            string                       `json:"nextToken,omitempty"`
	}

	updateIngestConfigurationInput struct {
		ARN             stage.ARN `json:"arn" check:"required,arn=ingest-configuration" iam:"resource"`
		StageARN        *string   `json:"stageArn" check:"arn=stage-or-none"`
		RedundantIngest *bool     `json:"redundantIngest"`
	}
	updateIngestConfigurationOutput struct {
		IngestConfiguration ingestConfiguration `json:"ingestConfiguration"`
	}

	deleteIngestConfigurationInput struct {
		ARN   stage.ARN `json:"arn" check:"required,arn=ingest-configuration" iam:"resource"`
		Force bool      `json:"force"`
	}
)

type (
	ingestConfigurationSummary struct {
		Name            string `json:"name"`
		ARN             string `json:"arn"`
		IngestProtocol  string `json:"ingestProtocol"`
		StageARN        string `json:"stageArn"` // "" while there is none
		ParticipantID   string `json:"participantId"`
		State           string `json:"state"`
		UserID          string `json:"userId"`
		RedundantIngest bool   `json:"redundantIngest"`
	}
	ingestConfiguration struct {
		ingestConfigurationSummary
		StreamKey   string             `json:"streamKey"`
		Credentials []ingestCredential `json:"redundantIngestCredentials,omitempty"`
		Attributes  map[string]string  `json:"attributes,omitempty"`
		Tags        map[string]string  `json:"tags"`
	}
	ingestCredential struct {
		ParticipantID string `json:"participantId"`
		StreamKey     string `json:"streamKey"`
	}
)

type (
	ingestProtocol string
	ingestState    string
)

func (ingestProtocol) values() []string {
	return []string{string(stage.IngestRTMP), string(stage.IngestRTMPS)}
}

func (ingestState) values() []string {
	return []string{string(stage.IngestActive), string(stage.IngestInactive)}
}

func (a *API) createIngestConfiguration(ctx context.Context, c stage.Caller, in *createIngestConfigurationInput) (*createIngestConfigurationOutput, error) {
	arn, err := arnOrNone(in.StageARN)
	if err != nil {
		return nil, err
	}
	i, err := a.service.CreateIngestConfiguration(ctx, c, stage.NewIngestConfiguration{
		Name:       in.Name,
		Tags:       in.Tags,
		Stage:      arn,
		UserID:     in.UserID,
		Attributes: in.Attributes,
		Protocol:   stage.IngestProtocol(in.IngestProtocol),
		Insecure:   in.InsecureIngest,
		Redundant:  in.RedundantIngest,
	})
	if err != nil {
		return nil, err
	}
	return &createIngestConfigurationOutput{toIngestConfiguration(i)}, nil
}

// arnOrNone reads a checked ARN for which "" is allowed: it names nothing.
func arnOrNone(text string) (stage.ARN, error) {
	if text == "" {
		return stage.ARN{}, nil
	}
	arn, err := stage.ParseARN(text)
	if err != nil {
		return stage.ARN{}, invalid(err.Error())
	}
	return arn, nil
}

func (a *API) getIngestConfiguration(ctx context.Context, c stage.Caller, in *getIngestConfigurationInput) (*getIngestConfigurationOutput, error) {
	i, err := a.service.IngestConfiguration(ctx, c, in.ARN)
	if err != nil {
		return nil, err
	}
	return &getIngestConfigurationOutput{toIngestConfiguration(i)}, nil
}

func (a *API) listIngestConfigurations(ctx context.Context, c stage.Caller, in *listIngestConfigurationsInput) (*listIngestConfigurationsOutput, error) {
	filter, spelled, err := in.filter()
	if err != nil {
		return nil, err
	}
	q := ask("ListIngestConfigurations", c, spelled)
	p, err := a.openPage(in.page, q)
	if err != nil {
		return nil, err
	}
	list, next, err := a.service.IngestConfigurations(ctx, c, filter, p)
	if err != nil {
		return nil, err
	}
	return &listIngestConfigurationsOutput{each(list, toIngestConfigurationSummary), a.nextToken(next, q)}, nil
}

// filter gives the filter of a request and spells it, "" if it has none.
func (in *listIngestConfigurationsInput) filter() (f stage.IngestFilter, spelled string, err error) {
	switch {
	case in.StageARN != nil && in.State != nil:
		return f, "", invalid("Only one of filterByStageArn and filterByState can be provided per request.")
	case in.StageARN != nil:
		return stage.IngestFilter{Stage: *in.StageARN}, "filterByStageArn=" + in.StageARN.String(), nil
	case in.State != nil:
		return stage.IngestFilter{State: stage.IngestState(*in.State)}, "filterByState=" + string(*in.State), nil
	}
	return f, "", nil
}

func (a *API) updateIngestConfiguration(ctx context.Context, c stage.Caller, in *updateIngestConfigurationInput) (*updateIngestConfigurationOutput, error) {
	change := stage.IngestChange{Redundant: in.RedundantIngest}
	if in.StageARN != nil {
		arn, err := arnOrNone(*in.StageARN)
		if err != nil {
			return nil, err
		}
		change.Stage = &arn
	}
	i, err := a.service.UpdateIngestConfiguration(ctx, c, in.ARN, change)
	if err != nil {
		return nil, err
	}
	return &updateIngestConfigurationOutput{toIngestConfiguration(i)}, nil
}

func (a *API) deleteIngestConfiguration(ctx context.Context, c stage.Caller, in *deleteIngestConfigurationInput) (*nothing, error) {
	return &nothing{}, a.service.DeleteIngestConfiguration(ctx, c, in.ARN, in.Force)
}

func toIngestConfiguration(i stage.IngestConfiguration) ingestConfiguration {
	return ingestConfiguration{
		ingestConfigurationSummary: toIngestConfigurationSummary(i),
		StreamKey:                  i.StreamKey,
		Credentials:                each(i.Redundant, func(c stage.IngestCredential) ingestCredential { return ingestCredential(c) }),
		Attributes:                 i.Attributes,
		Tags:                       toTags(i.Tags),
	}
}

// toIngestConfigurationSummary leaves the stream keys out.
func toIngestConfigurationSummary(i stage.IngestConfiguration) ingestConfigurationSummary {
	return ingestConfigurationSummary{
		Name:            i.Name,
		ARN:             i.ARN.String(),
		IngestProtocol:  string(i.Protocol),
		StageARN:        i.Stage.String(),
		ParticipantID:   i.ParticipantID,
		State:           string(i.State),
		UserID:          i.UserID,
		RedundantIngest: len(i.Redundant) > 0,
	}
}
