package presence_test

import (
	"encoding/json"
	"strings"
	"testing"

	"callboard/internal/live/livetest"
	"callboard/internal/presence"
	"callboard/internal/stage"
	"callboard/internal/token"
)

func exchange(jwt string) string {
	data, _ := json.Marshal(map[string]any{"type": "EXCHANGE_TOKEN", "id": "7", "payload": map[string]string{"token": jwt}})
	return string(data)
}

func TestATokenIsExchangedOverTheSocket(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	viewer, _ := d.issue(arn)
	s, watching := d.attend(arn, jwt), d.attend(arn, viewer)
	s.send(exchange(d.Another(jwt, func(c *token.Claims) { c.UserID, c.Publish = "erika", false })))
	if f := s.await("the answer", kind("TOKEN_EXCHANGED")); string(f.ID) != `"7"` {
		t.Errorf("the answer is %+v", f)
	}
	d.WantEvents(arn, id, "JOINED", "TOKEN_EXCHANGED")
	for _, one := range []*seat{s, watching} {
		one.await("the new name", func(f frame) bool {
			p, _ := f.person(id)
			return p.UserID == "erika" && strings.Join(p.Capabilities, " ") == "subscribe"
		})
	}
}

func TestABadTokenInAnExchangeEndsEverything(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	for name, c := range map[string]struct {
		bad  func(jwt string) string
		code string
	}{
		"no token":            {func(string) string { return "" }, stage.CodeTokenMalformed},
		"a torn one":          {func(jwt string) string { return jwt[:len(jwt)-4] }, stage.CodeTokenMalformed},
		"another participant": {func(string) string { return d.Token(arn) }, stage.CodeTokenNotAllowed},
		"another address":     {func(jwt string) string { return d.Another(jwt, func(c *token.Claims) { c.WHIPURL += "/x" }) }, stage.CodeTokenNotAllowed},
		"another socket":      {func(jwt string) string { return d.Another(jwt, func(c *token.Claims) { c.EventsURL += "/x" }) }, stage.CodeTokenNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			jwt, id := d.issue(arn)
			s := d.attend(arn, jwt)
			s.send(exchange(c.bad(jwt)))
			if f := s.await("the error", kind("ERROR")); f.Payload.Code != c.code || string(f.ID) != `"7"` || f.Payload.Message == "" {
				t.Errorf("the error is %+v", f)
			}
			last, code := s.end()
			if last.Type != "LEFT" || last.Payload.Reason != "failed-exchange" || code != 4004 {
				t.Errorf("the end is %+v with %d", last, code)
			}
			d.AwaitEvents(arn, id, "JOINED", "LEFT")
		})
	}
}

func TestAmazonsSDKExchangesItsTokenInItsOwnWords(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	s := d.asAmazonsSDK(arn, jwt)
	asks := func(next string) {
		data, _ := json.Marshal(map[string]any{"type": "aws:ivs:EXCHANGE_TOKEN", "payload": map[string]string{
			"oldToken": jwt, "newToken": next, "requestId": "r1", "traceId": "t1",
		}})
		s.send(string(data))
	}
	asks(d.Another(jwt, func(c *token.Claims) { c.UserID = "erika" }))
	f := s.await("the answer", kind("aws:ivs:EXCHANGE_TOKEN"))
	if f.Payload.RequestID != "r1" || f.Payload.TraceID != "t1" || f.Payload.Error.Code != "" {
		t.Errorf("the consent is %+v", f)
	}
	d.WantEvents(arn, id, "JOINED", "TOKEN_EXCHANGED")
	asks("a.b.c")
	f = s.await("the refusal", kind("aws:ivs:EXCHANGE_TOKEN"))
	if f.Payload.RequestID != "r1" || f.Payload.Error.Code != stage.CodeTokenMalformed || f.Payload.Error.Message == "" {
		t.Errorf("the refusal is %+v", f)
	}
	s.end()
	d.AwaitEvents(arn, id, "JOINED", "TOKEN_EXCHANGED", "LEFT")
}

func TestWhoExchangesTooOftenIsToldAndStays(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, _ := d.issue(arn)
	s := d.attend(arn, jwt)
	tokens := [2]string{d.Another(jwt, func(c *token.Claims) { c.UserID = "erika" }), jwt}
	answer := func(f frame) bool { return f.Type == "TOKEN_EXCHANGED" || f.Type == "ERROR" }
	var f frame
	for i := 0; f.Type != "ERROR" && i < 1000; i++ {
		s.send(exchange(tokens[i%2]))
		f = s.await("the answer", answer)
	}
	if f.Type != "ERROR" || f.Payload.Code != stage.CodeStageAtCapacity || f.Payload.Message == "" {
		t.Errorf("the refusal is %+v", f)
	}
	s.send(`{"type":"PING"}`)
	s.await("a sign of life", kind("PONG"))
}
