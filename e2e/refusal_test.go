//go:build e2e

package e2e

import (
	"errors"
	"net/http"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/aws/smithy-go"

	"callboard/internal/guest"
)

// statuses are the HTTP statuses of the modelled errors.
var statuses = map[string]int{
	"ValidationException":           http.StatusBadRequest,
	"AccessDeniedException":         http.StatusForbidden,
	"ResourceNotFoundException":     http.StatusNotFound,
	"ConflictException":             http.StatusConflict,
	"ServiceQuotaExceededException": http.StatusPaymentRequired,
}

// modelled is a typed error of the SDK.
type modelled interface {
	smithy.APIError
	*types.ValidationException | *types.AccessDeniedException | *types.ResourceNotFoundException |
		*types.ConflictException | *types.ServiceQuotaExceededException
}

// refused demands a typed error with its text and status, and gives the text.
func refused[T modelled](t *testing.T, what string, err error) string {
	t.Helper()
	e, ok := errors.AsType[T](err)
	if !ok {
		t.Errorf("%s: got %v, want %s", what, err, typeName[T]())
		return ""
	}
	said := exceptionMessage(e)
	if said == "" {
		t.Errorf("%s: %s has no ExceptionMessage", what, e.ErrorCode())
	}
	status(t, what, err, statuses[e.ErrorCode()])
	return said
}

func typeName[T modelled]() string {
	var none T
	return none.ErrorCode()
}

func exceptionMessage(e smithy.APIError) string {
	var said *string
	switch e := e.(type) {
	case *types.ValidationException:
		said = e.ExceptionMessage
	case *types.AccessDeniedException:
		said = e.ExceptionMessage
	case *types.ResourceNotFoundException:
		said = e.ExceptionMessage
	case *types.ConflictException:
		said = e.ExceptionMessage
	case *types.ServiceQuotaExceededException:
		said = e.ExceptionMessage
	}
	if said == nil {
		return ""
	}
	return *said
}

// unmodelled demands an error by its code, with a text, whether or not the
// operation declares it.
func unmodelled(t *testing.T, what string, err error, code string, httpStatus int) string {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
		return ""
	}
	status(t, what, err, httpStatus)
	return e.ErrorMessage()
}

func status(t *testing.T, what string, err error, want int) {
	t.Helper()
	resp, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || resp.HTTPStatusCode() != want {
		t.Errorf("%s: got status %v, want %d", what, err, want)
		return
	}
	if resp.ServiceRequestID() == "" {
		t.Errorf("%s: the error has no request id", what)
	}
}

// refusal demands that the media or presence side said no, and why.
func refusal(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	r, ok := errors.AsType[*guest.Refusal](err)
	if !ok || r.Status != status || code != "" && r.Code != code {
		t.Errorf("%s: got %v, want a refusal with %d %s", what, err, status, code)
	}
}

// ended waits for the end of something.
func ended(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Errorf("%s did not end", what)
	}
}

// mutedAudio finds the state in which the participant's audio is muted.
func mutedAudio(id string) func(guest.State) bool {
	return func(s guest.State) bool {
		p, ok := s.Person(id)
		return ok && p.AudioMuted
	}
}
