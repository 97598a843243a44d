package api

import (
	"context"

	"callboard/internal/stage"
)

type (
	createStorageConfigurationInput struct {
		Name string            `json:"name" check:"name"`
		S3   s3Storage         `json:"s3" check:"required"`
		Tags map[string]string `json:"tags" check:"tags"`
	}
	createStorageConfigurationOutput struct {
		StorageConfiguration storageConfiguration `json:"storageConfiguration"`
	}

	getStorageConfigurationInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=storage-configuration" iam:"resource"`
	}
	getStorageConfigurationOutput struct {
		StorageConfiguration storageConfiguration `json:"storageConfiguration"`
	}

	listStorageConfigurationsInput struct {
		page
	}
	listStorageConfigurationsOutput struct {
		StorageConfigurations []storageConfiguration `json:"storageConfigurations"`
		NextToken             string                 `json:"nextToken,omitempty"`
	}

	deleteStorageConfigurationInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=storage-configuration" iam:"resource"`
	}
)

type (
	s3Storage struct {
		BucketName string `json:"bucketName" check:"required,bucket"`
	}
	// storageConfiguration is both StorageConfiguration and
	// StorageConfigurationSummary of the model.
	storageConfiguration struct {
		ARN  string            `json:"arn"`
		Name string            `json:"name"`
		S3   s3Storage         `json:"s3"`
		Tags map[string]string `json:"tags"`
	}
)

func (a *API) createStorageConfiguration(ctx context.Context, c stage.Caller, in *createStorageConfigurationInput) (*createStorageConfigurationOutput, error) {
	s, err := a.service.CreateStorageConfiguration(ctx, c, stage.NewStorageConfiguration{
		Name: in.Name, Tags: in.Tags, Bucket: in.S3.BucketName,
	})
	if err != nil {
		return nil, err
	}
	return &createStorageConfigurationOutput{toStorageConfiguration(s)}, nil
}

func (a *API) getStorageConfiguration(ctx context.Context, c stage.Caller, in *getStorageConfigurationInput) (*getStorageConfigurationOutput, error) {
	s, err := a.service.StorageConfiguration(ctx, c, in.ARN)
	if err != nil {
		return nil, err
	}
	return &getStorageConfigurationOutput{toStorageConfiguration(s)}, nil
}

func (a *API) listStorageConfigurations(ctx context.Context, c stage.Caller, in *listStorageConfigurationsInput) (*listStorageConfigurationsOutput, error) {
	q := ask("ListStorageConfigurations", c)
	size := mostResults // or the quota, whichever is smaller
	if quota := a.service.Quotas().StorageConfigurations; quota > 0 {
		size = min(size, quota)
	}
	p, err := a.openPageOf(size, in.page, q)
	if err != nil {
		return nil, err
	}
	list, next, err := a.service.StorageConfigurations(ctx, c, p)
	if err != nil {
		return nil, err
	}
	return &listStorageConfigurationsOutput{each(list, toStorageConfiguration), a.nextToken(next, q)}, nil
}

func (a *API) deleteStorageConfiguration(ctx context.Context, c stage.Caller, in *deleteStorageConfigurationInput) (*nothing, error) {
	return &nothing{}, a.service.DeleteStorageConfiguration(ctx, c, in.ARN)
}

func toStorageConfiguration(s stage.StorageConfiguration) storageConfiguration {
	return storageConfiguration{s.ARN.String(), s.Name, s3Storage{s.Bucket}, toTags(s.Tags)}
}
