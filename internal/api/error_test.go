package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
)

func TestKindsOfTheDomainBecomeErrorsOfTheModel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{&stage.Error{Kind: stage.Invalid}, 400, "ValidationException"},
		{&stage.Error{Kind: stage.Denied}, 403, "AccessDeniedException"},
		{&stage.Error{Kind: stage.NotFound}, 404, "ResourceNotFoundException"},
		{&stage.Error{Kind: stage.Conflict}, 409, "ConflictException"},
		{&stage.Error{Kind: stage.Quota}, 402, "ServiceQuotaExceededException"},
		{&stage.Error{Kind: stage.Internal}, 500, "InternalServerException"},
		{&stage.Error{Kind: stage.Unauthenticated}, 500, "InternalServerException"},
		{fmt.Errorf("wrapped: %w", &stage.Error{Kind: stage.NotFound}), 404, "ResourceNotFoundException"},
		{errors.New("disk on fire"), 500, "InternalServerException"},
		{&sigv4.Error{Code: "InvalidSignatureException"}, 403, "InvalidSignatureException"},
	} {
		var e exchange
		e.fail(c.err)
		if e.status != c.status || e.code != c.code {
			t.Errorf("%v: got %d %s, want %d %s", c.err, e.status, e.code, c.status, c.code)
		}
		if told := e.cause != nil; told != (c.status == 500) {
			t.Errorf("%v: operator told: %v", c.err, told)
		}
	}
}

func TestModelledErrorsCarryTheirTextTwice(t *testing.T) {
	t.Parallel()
	var e exchange
	e.fail(&stage.Error{Kind: stage.NotFound, Message: "no \"such\" \xff stage", Err: errors.New("for the operator")})
	var body map[string]string
	if err := json.Unmarshal(e.body, &body); err != nil {
		t.Fatal(err)
	}
	if len(body) != 2 || body["message"] != "no \"such\" \ufffd stage" || body["exceptionMessage"] != body["message"] {
		t.Errorf("body is %s", e.body)
	}
}
