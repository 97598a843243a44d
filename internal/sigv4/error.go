package sigv4

import (
	"fmt"
	"strings"
)

// The codes of [Error], names of exceptions as AWS clients know them. All of
// them are answered with status 403.
const (
	// CodeMissing: the request carries no credentials at all.
	CodeMissing = "MissingAuthenticationTokenException"
	// CodeIncomplete: it carries some, but a part is missing or has no sense.
	CodeIncomplete = "IncompleteSignatureException"
	// CodeUnrecognized: the access key or its session token is not known.
	CodeUnrecognized = "UnrecognizedClientException"
	// CodeExpired: the key was good and is no longer.
	CodeExpired = "ExpiredTokenException"
	// CodeInvalid: outside its time, scoped to something else, or not signed
	// with the key it names.
	CodeInvalid = "InvalidSignatureException"
)

// Error is a request that is not believed. The message is for the caller; it
// contains no secret and no signature.
type Error struct {
	Code    string
	Message string
}

// Error gives code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

var (
	errMissing      = &Error{CodeMissing, "Missing Authentication Token"}
	errUnrecognized = &Error{CodeUnrecognized, "The security token included in the request is invalid."}
	errExpired      = &Error{CodeExpired, "The security token included in the request is expired"}
	errMismatch     = &Error{CodeInvalid, "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
)

func invalid(format string, args ...any) *Error {
	return &Error{CodeInvalid, fmt.Sprintf(format, args...)}
}

// incomplete makes one error of all problems, nil if there are none.
func incomplete(problems ...string) error {
	if len(problems) == 0 {
		return nil
	}
	return &Error{CodeIncomplete, strings.Join(problems, " ")}
}

// shown makes text of a stranger fit for a message.
func shown(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
