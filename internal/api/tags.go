package api

import (
	"context"

	"callboard/internal/stage"
)

// The three tag operations are the only ones with members outside the body.
type (
	tagResourceInput struct {
		ResourceARN stage.ARN         `path:"resourceArn" check:"required,arn=any" iam:"resource"`
		Tags        map[string]string `json:"tags" check:"required,tags"`
	}

	untagResourceInput struct {
		ResourceARN stage.ARN `path:"resourceArn" check:"required,arn=any" iam:"resource"`
		TagKeys     []string  `query:"tagKeys" check:"required,tagkeys"`
	}

	listTagsForResourceInput struct {
		ResourceARN stage.ARN `path:"resourceArn" check:"required,arn=any" iam:"resource"`
	}
	listTagsForResourceOutput struct {
		Tags map[string]string `json:"tags"`
	}
)

func (a *API) tagResource(ctx context.Context, c stage.Caller, in *tagResourceInput) (*nothing, error) {
	return &nothing{}, a.service.Tag(ctx, c, in.ResourceARN, in.Tags)
}

func (a *API) untagResource(ctx context.Context, c stage.Caller, in *untagResourceInput) (*nothing, error) {
	return &nothing{}, a.service.Untag(ctx, c, in.ResourceARN, in.TagKeys)
}

func (a *API) listTagsForResource(ctx context.Context, c stage.Caller, in *listTagsForResourceInput) (*listTagsForResourceOutput, error) {
	tags, err := a.service.Tags(ctx, c, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return &listTagsForResourceOutput{toTags(tags)}, nil
}

// toTags gives tags as they are shown: an empty map when there are none.
func toTags(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return tags
}
