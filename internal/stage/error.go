package stage

import (
	"errors"
	"fmt"
)

// Kind is what went wrong, for machines. Doors map it to their own language.
type Kind int

// The kinds of failure.
const (
	Internal        Kind = iota // our fault; the message is not for the caller
	Invalid                     // the request makes no sense
	Unauthenticated             // a participant token that does not hold
	Denied                      // known, but not allowed
	NotFound                    // no such thing for this caller
	Conflict                    // the state forbids it
	Quota                       // a limit is reached
)

// Codes of a refused participant, as the IVS client SDKs name them.
const (
	CodeTokenMalformed          = "TOKEN_MALFORMED"
	CodeTokenExpired            = "TOKEN_EXPIRED"
	CodeTokenNotAllowed         = "TOKEN_NOT_ALLOWED"
	CodeStageDeleted            = "STAGE_DELETED"
	CodeStageAtCapacity         = "STAGE_AT_CAPACITY"
	CodeParticipantDisconnected = "PARTICIPANT_DISCONNECTED"
)

// Error is the one error type of the domain.
type Error struct {
	Kind    Kind
	Code    string // one of the Code constants when a participant is refused, else ""
	Message string // safe and helpful for the caller
	Err     error  // the cause, for the operator
}

// Error gives the caller's message and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the kind of err; Internal for an error that is not of this package.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// asKind gives err, but of another kind if it is of one: what an operation must
// call unknown depends on what it declares.
func asKind(err error, from, to Kind) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == from {
		return &Error{Kind: to, Code: e.Code, Message: e.Message, Err: e.Err}
	}
	return err
}

func fail(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

func refuse(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}
