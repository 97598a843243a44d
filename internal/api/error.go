package api

import (
	"errors"
	"fmt"
	"net/http"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
)

// Names of the errors in the service model. Each operation lists those of the
// last three that it may answer; the first two are possible everywhere.
const (
	validation   = "ValidationException"
	accessDenied = "AccessDeniedException"
	notFound     = "ResourceNotFoundException"
	conflict     = "ConflictException"
	quota        = "ServiceQuotaExceededException"
	internal     = "InternalServerException"
)

// fault is an error as it goes over the wire.
type fault struct {
	status  int
	code    string
	message string
	// modelled errors carry their text twice: the model calls the member
	// exceptionMessage, but most SDKs show only message.
	modelled bool
}

func (f *fault) Error() string { return f.code + ": " + f.message }

// frontDoor makes an error that the model does not have.
func frontDoor(status int, code, message string) *fault {
	return &fault{status: status, code: code, message: message}
}

func invalid(message string) *fault {
	return &fault{status: http.StatusBadRequest, code: validation, message: message, modelled: true}
}

func malformed(format string, args ...any) *fault {
	return frontDoor(http.StatusBadRequest, "SerializationException", fmt.Sprintf(format, args...))
}

var (
	// API Gateway answers this for unknown routes as well, instead of a 404.
	errNoToken = frontDoor(http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token")
	// All SDKs know this code for one to try again after a pause of their own;
	// API Gateway names no time in a header.
	errThrottled = frontDoor(http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded")
	errTooLarge  = frontDoor(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException",
		fmt.Sprintf("Request size exceeded %d bytes", maxBody))
)

// fail turns the answer into an error. What is not made for the caller's eyes
// is kept for the log, and the caller is only told that it happened.
func (e *exchange) fail(err error) {
	f := toFault(err)
	if f == nil {
		e.cause = err
		f = &fault{http.StatusInternalServerError, internal, "The server failed to answer this request.", true}
	}
	e.status, e.code = f.status, f.code
	e.body = append(e.body[:0], `{"message":`...)
	e.body = appendString(e.body, f.message)
	if f.modelled {
		e.body = append(e.body, `,"exceptionMessage":`...)
		e.body = appendString(e.body, f.message)
	}
	e.body = append(e.body, '}')
}

// toFault gives nil for an error that the caller must not see.
func toFault(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if s, ok := errors.AsType[*sigv4.Error](err); ok {
		return frontDoor(http.StatusForbidden, s.Code, s.Message)
	}
	if s, ok := errors.AsType[*stage.Error](err); ok {
		return kindFault(s)
	}
	return nil
}

func kindFault(s *stage.Error) *fault {
	switch s.Kind {
	case stage.Invalid:
		return invalid(s.Message)
	case stage.Denied:
		return &fault{http.StatusForbidden, accessDenied, s.Message, true}
	case stage.NotFound:
		return &fault{http.StatusNotFound, notFound, s.Message, true}
	case stage.Conflict:
		return &fault{http.StatusConflict, conflict, s.Message, true}
	case stage.Quota:
		return &fault{http.StatusPaymentRequired, quota, s.Message, true}
	default:
		return nil
	}
}
