package api

import (
	"net/http"
	"slices"
	"testing"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
)

// throttle has the world's API count calls, and refuse those to an operation.
func (w *world) throttle(refused string) (counted func() []string) {
	var calls []string
	o := w.options()
	o.Throttle = func(account, region, operation string) bool {
		calls = append(calls, account+" "+region+" "+operation)
		return operation != refused
	}
	w.API = New(o)
	return func() []string {
		seen := calls
		calls = nil
		return seen
	}
}

func TestAThrottledCallIsToldToComeAgainAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	counted := w.throttle("CreateStage")
	got := w.call("POST", "/CreateStage", `{}`)
	if got.status != http.StatusTooManyRequests || got.code() != "ThrottlingException" || got.body != `{"message":"Rate exceeded"}` {
		t.Errorf("got %d %s %s", got.status, got.code(), got.body)
	}
	if after := got.header.Get("Retry-After"); after != "" {
		t.Errorf("Retry-After is %q", after)
	}
	if got.header.Get("X-Amzn-Requestid") == "" || got.header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("headers are missing: %v", got.header)
	}
	if list, _, err := w.service.Stages(t.Context(), w.caller, stage.Page{Limit: 1}); err != nil || len(list) > 0 {
		t.Errorf("there are %v, %v", list, err)
	}
	if got, want := counted(), []string{"123456789012 eu-west-1 CreateStage"}; !slices.Equal(got, want) {
		t.Errorf("counted %q, not %q", got, want)
	}
}

func TestCallsAreCountedAfterTheSignatureAndBeforeTheyAreUnderstood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	counted := w.throttle("GetStage")
	guessed := sigv4.Key{AccessKeyID: testKey.AccessKeyID, Secret: "guessed"}
	for _, c := range []struct {
		name    string
		call    func() answer
		code    string
		counted bool
	}{
		{"a bad signature", func() answer { return w.callAs(guessed, testRegion, "POST", "/GetStage", `{}`) }, "InvalidSignatureException", false},
		{"an unknown route", func() answer { return w.call("POST", "/GetStages", `{}`) }, "MissingAuthenticationTokenException", false},
		{"a preflight", func() answer { return w.call("OPTIONS", "/GetStage", "") }, "", false},
		{"broken JSON", func() answer { return w.call("POST", "/GetStage", `{`) }, "ThrottlingException", true},
		{"broken JSON within the rate", func() answer { return w.call("POST", "/ListStages", `{`) }, "SerializationException", true},
		{"XML", func() answer { return w.call("POST", "/GetStage", `<x/>`, "Content-Type", "text/xml") }, "ThrottlingException", true},
		{"a constraint that is broken", func() answer { return w.call("POST", "/StartComposition", `{}`) }, validation, true},
		{"another account's stage", func() answer { return w.callAs(otherKey, testRegion, "POST", "/GetStage", `{"arn":"`+testStage+`"}`) }, "ThrottlingException", true},
	} {
		if got := c.call(); got.code() != c.code {
			t.Errorf("%s: got %d %s, want %s", c.name, got.status, got.code(), c.code)
		}
		if got := len(counted()); (got == 1) != c.counted || got > 1 {
			t.Errorf("%s is counted %d times", c.name, got)
		}
	}
}

func TestEveryOperationIsListedByName(t *testing.T) {
	t.Parallel()
	names := Operations()
	if len(names) != 39 || !slices.Contains(names, "ListParticipants") || !slices.Contains(names, "StartComposition") {
		t.Errorf("operations: %q", names)
	}
}
