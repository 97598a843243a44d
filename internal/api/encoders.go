package api

import (
	"context"

	"callboard/internal/stage"
)

type (
	createEncoderConfigurationInput struct {
		Name  string            `json:"name" check:"name"`
		Video videoInput        `json:"video"`
		Tags  map[string]string `json:"tags" check:"tags"`
	}
	createEncoderConfigurationOutput struct {
		EncoderConfiguration encoderConfiguration `json:"encoderConfiguration"`
	}

	getEncoderConfigurationInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=encoder-configuration" iam:"resource"`
	}
	getEncoderConfigurationOutput struct {
		EncoderConfiguration encoderConfiguration `json:"encoderConfiguration"`
	}

	listEncoderConfigurationsInput struct {
		page
	}
	listEncoderConfigurationsOutput struct {
		EncoderConfigurations []encoderConfigurationSummary `json:"encoderConfigurations"`
		NextToken             string                        `json:"nextToken,omitempty"`
	}

	deleteEncoderConfigurationInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=encoder-configuration" iam:"resource"`
	}
)

type (
	videoInput struct {
		Width     *int     `json:"width" check:"min=2,max=1920"`
		Height    *int     `json:"height" check:"min=2,max=1920"`
		Framerate *float32 `json:"framerate" check:"min=1,max=60"`
		Bitrate   *int     `json:"bitrate" check:"min=1,max=8500000"`
	}
	video struct {
		Width     int     `json:"width"`
		Height    int     `json:"height"`
		Framerate float32 `json:"framerate"`
		Bitrate   int     `json:"bitrate"`
	}
	encoderConfigurationSummary struct {
		ARN  string            `json:"arn"`
		Name string            `json:"name"`
		Tags map[string]string `json:"tags"`
	}
	encoderConfiguration struct {
		encoderConfigurationSummary
		Video video `json:"video"`
	}
)

func (a *API) createEncoderConfiguration(ctx context.Context, c stage.Caller, in *createEncoderConfigurationInput) (*createEncoderConfigurationOutput, error) {
	e, err := a.service.CreateEncoderConfiguration(ctx, c, stage.NewEncoderConfiguration{
		Name: in.Name, Tags: in.Tags, Video: stage.VideoRequest(in.Video),
	})
	if err != nil {
		return nil, err
	}
	return &createEncoderConfigurationOutput{toEncoderConfiguration(e)}, nil
}

func (a *API) getEncoderConfiguration(ctx context.Context, c stage.Caller, in *getEncoderConfigurationInput) (*getEncoderConfigurationOutput, error) {
	e, err := a.service.EncoderConfiguration(ctx, c, in.ARN)
	if err != nil {
		return nil, err
	}
	return &getEncoderConfigurationOutput{toEncoderConfiguration(e)}, nil
}

func (a *API) listEncoderConfigurations(ctx context.Context, c stage.Caller, in *listEncoderConfigurationsInput) (*listEncoderConfigurationsOutput, error) {
	q := ask("ListEncoderConfigurations", c)
	p, err := a.openPageOf(mostResults, in.page, q)
	if err != nil {
		return nil, err
	}
	list, next, err := a.service.EncoderConfigurations(ctx, c, p)
	if err != nil {
		return nil, err
	}
	return &listEncoderConfigurationsOutput{each(list, toEncoderConfigurationSummary), a.nextToken(next, q)}, nil
}

func (a *API) deleteEncoderConfiguration(ctx context.Context, c stage.Caller, in *deleteEncoderConfigurationInput) (*nothing, error) {
	return &nothing{}, a.service.DeleteEncoderConfiguration(ctx, c, in.ARN)
}

func toEncoderConfiguration(e stage.EncoderConfiguration) encoderConfiguration {
	return encoderConfiguration{toEncoderConfigurationSummary(e), video(e.Video)}
}

func toEncoderConfigurationSummary(e stage.EncoderConfiguration) encoderConfigurationSummary {
	return encoderConfigurationSummary{e.ARN.String(), e.Name, toTags(e.Tags)}
}
