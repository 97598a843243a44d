package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// awsFlags are those that the AWS CLI has under the same names.
type awsFlags struct{ profile, region, endpoint string }

// client reads the environment and the profiles as every AWS tool does.
func (f awsFlags) client(ctx context.Context) (*ivsrealtime.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithSharedConfigProfile(f.profile), config.WithRegion(f.region))
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New(`no region is set: use --region, AWS_REGION, a profile, or eval "$(callboard env)"`)
	}
	return ivsrealtime.NewFromConfig(cfg, func(o *ivsrealtime.Options) {
		if f.endpoint != "" {
			o.BaseEndpoint = aws.String(f.endpoint)
		}
	}), nil
}

// sendUnpublishedFilter puts filterByPublished=false into a ListParticipants
// request. The Go SDK leaves a false boolean out, which means no filter at all.
func sendUnpublishedFilter(o *ivsrealtime.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Serialize.Add(middleware.SerializeMiddlewareFunc("FilterByUnpublished", addUnpublishedFilter), middleware.After)
	})
}

func addUnpublishedFilter(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
	fail := func(err error) (middleware.SerializeOutput, middleware.Metadata, error) {
		return middleware.SerializeOutput{}, middleware.Metadata{}, err
	}
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return fail(fmt.Errorf("unexpected request type %T", in.Request))
	}
	body := map[string]any{}
	if err := json.NewDecoder(request.GetStream()).Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		return fail(err)
	}
	body["filterByPublished"] = false
	data, err := json.Marshal(body)
	if err != nil {
		return fail(err)
	}
	if in.Request, err = request.SetStream(bytes.NewReader(data)); err != nil {
		return fail(err)
	}
	return next.HandleSerialize(ctx, in)
}

// sentence shortens an error of the SDK to what the service said, and puts errors
// that came together on one line.
func sentence(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Sprintf("%s (%s)", strings.TrimSuffix(api.ErrorMessage(), "."), api.ErrorCode())
	}
	if lost, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Sprintf("%s cannot be reached: %v", lost.URL, lost.Err)
	}
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		return fmt.Sprintf("%s failed: %v", op.OperationName, op.Err)
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
