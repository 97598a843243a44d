//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// goSDK is aws-sdk-go-v2. Members that are plain booleans, numbers or
// enumerations in it cannot tell their zero from being absent.
type goSDK struct{}

func (goSDK) carryOut(t *testing.T, o order) outcome {
	t.Helper()
	b := &board{url: o.Endpoint}
	c := b.client(o.ID, o.Secret, o.Region)
	if o.Attempts == 0 {
		own := c.Options()
		own.RetryMaxAttempts, own.Retryer = 0, nil
		c = sdk.New(own)
	}
	if o.Paginate {
		return walked(t, c, o)
	}
	method := reflect.ValueOf(c).MethodByName(o.Operation)
	in := reflect.New(method.Type().In(1).Elem())
	fill(t, in.Interface(), o.Input)
	results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
	if err, _ := results[1].Interface().(error); err != nil {
		return failed(err)
	}
	return succeeded(results[0])
}

// fill puts members by their names on the wire into an input.
func fill(t *testing.T, input any, members map[string]any) {
	t.Helper()
	data, err := json.Marshal(members)
	must(t, err)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	must(t, dec.Decode(input))
}

func succeeded(output reflect.Value) outcome {
	metadata := output.Elem().FieldByName("ResultMetadata").Interface().(middleware.Metadata)
	id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
	return outcome{Output: wire(output).(map[string]any), RequestID: id}
}

func failed(err error) outcome {
	out := outcome{Error: &trouble{Message: err.Error(), Client: true}}
	if sent, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		out.Error.Client = false
		out.Error.Status = sent.HTTPStatusCode()
		out.RequestID = sent.ServiceRequestID()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		out.Error.Code, out.Error.Message = api.ErrorCode(), api.ErrorMessage()
	}
	if class, said := exception(err); class != "" {
		out.Error.Class, out.Error.Message = class, aws.ToString(said)
	}
	return out
}

// exception gives the type of a modelled error, and its text: callers of this
// SDK find it in ExceptionMessage.
func exception(err error) (class string, said *string) {
	if e, ok := errors.AsType[*types.ValidationException](err); ok {
		return "ValidationException", e.ExceptionMessage
	}
	if e, ok := errors.AsType[*types.AccessDeniedException](err); ok {
		return "AccessDeniedException", e.ExceptionMessage
	}
	if e, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return "ResourceNotFoundException", e.ExceptionMessage
	}
	if e, ok := errors.AsType[*types.ConflictException](err); ok {
		return "ConflictException", e.ExceptionMessage
	}
	if e, ok := errors.AsType[*types.ServiceQuotaExceededException](err); ok {
		return "ServiceQuotaExceededException", e.ExceptionMessage
	}
	if e, ok := errors.AsType[*types.InternalServerException](err); ok {
		return "InternalServerException", e.ExceptionMessage
	}
	return "", nil
}

// wire gives a value of the SDK as it would be in JSON, nil for what is absent.
func wire(v reflect.Value) any {
	if at, ok := v.Interface().(*time.Time); ok {
		if at == nil {
			return nil
		}
		return "time:" + at.Format(time.RFC3339Nano)
	}
	switch v.Kind() {
	case reflect.Pointer:
		switch {
		case v.IsNil():
			return nil
		case v.Elem().Kind() == reflect.Struct:
			return wire(v.Elem())
		}
		return plain(v.Elem())
	case reflect.Struct:
		return wireStruct(v)
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plainOr(v.Index(i))
		}
		return list
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		members := map[string]any{}
		for key, value := range v.Seq2() {
			members[key.String()] = plainOr(value)
		}
		return members
	}
	if v.IsZero() {
		return nil
	}
	return plain(v)
}

func wireStruct(v reflect.Value) map[string]any {
	members := map[string]any{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		if !f.IsExported() || f.Anonymous || f.Name == "ResultMetadata" {
			continue
		}
		if value := wire(v.FieldByIndex(f.Index)); value != nil {
			members[strings.ToLower(f.Name[:1])+f.Name[1:]] = value
		}
	}
	return members
}

// plainOr gives an element of a list or map, which is never absent.
func plainOr(v reflect.Value) any {
	if value := wire(v); value != nil {
		return value
	}
	return plain(v)
}

// plain gives text, a number or a truth as encoding/json decodes it.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Int32:
		return float64(v.Int())
	case reflect.Float32:
		return v.Float()
	}
	return v.String()
}

// pager is any of the SDK's paginators.
type pager[Out any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*sdk.Options)) (*Out, error)
}

// walk turns all pages.
func walk[Out any](t *testing.T, p pager[Out]) (out outcome) {
	t.Helper()
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		if err != nil {
			return failed(err)
		}
		out.Pages = append(out.Pages, wire(reflect.ValueOf(page)).(map[string]any))
	}
	return out
}

// input is the input of an operation as an order has it.
func input[In any](t *testing.T, o order) *In {
	t.Helper()
	in := new(In)
	members := map[string]any{"maxResults": o.PageSize}
	for name, value := range o.Input {
		members[name] = value
	}
	fill(t, in, members)
	return in
}

// walked walks with the paginator of an operation.
func walked(t *testing.T, c *sdk.Client, o order) outcome {
	t.Helper()
	switch o.Operation {
	case "ListStages":
		return walk(t, sdk.NewListStagesPaginator(c, input[sdk.ListStagesInput](t, o)))
	case "ListPublicKeys":
		return walk(t, sdk.NewListPublicKeysPaginator(c, input[sdk.ListPublicKeysInput](t, o)))
	case "ListStageSessions":
		return walk(t, sdk.NewListStageSessionsPaginator(c, input[sdk.ListStageSessionsInput](t, o)))
	case "ListParticipants":
		return walk(t, sdk.NewListParticipantsPaginator(c, input[sdk.ListParticipantsInput](t, o)))
	case "ListParticipantEvents":
		return walk(t, sdk.NewListParticipantEventsPaginator(c, input[sdk.ListParticipantEventsInput](t, o)))
	case "ListParticipantReplicas":
		return walk(t, sdk.NewListParticipantReplicasPaginator(c, input[sdk.ListParticipantReplicasInput](t, o)))
	case "ListIngestConfigurations":
		return walk(t, sdk.NewListIngestConfigurationsPaginator(c, input[sdk.ListIngestConfigurationsInput](t, o)))
	case "ListEncoderConfigurations":
		return walk(t, sdk.NewListEncoderConfigurationsPaginator(c, input[sdk.ListEncoderConfigurationsInput](t, o)))
	case "ListStorageConfigurations":
		return walk(t, sdk.NewListStorageConfigurationsPaginator(c, input[sdk.ListStorageConfigurationsInput](t, o)))
	case "ListCompositions":
		return walk(t, sdk.NewListCompositionsPaginator(c, input[sdk.ListCompositionsInput](t, o)))
	}
	t.Fatalf("%s has no paginator", o.Operation)
	return outcome{}
}
