package presence_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/live/livetest"
	"callboard/internal/presence"
	"callboard/internal/stage"
)

func TestHandshake(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, _ := d.issue(arn)
	const ours = "callboard.events.v1"
	bearer := http.Header{"Authorization": {"Bearer " + jwt}}
	for name, c := range map[string]struct {
		path    string
		options websocket.DialOptions
		echo    string
	}{
		"our protocol and the token": {"/events/" + arn.ID, websocket.DialOptions{Subprotocols: []string{ours, jwt}}, ours},
		"the token alone":            {"/events/" + arn.ID, websocket.DialOptions{Subprotocols: []string{jwt}}, jwt},
		"a header":                   {"/events/" + arn.ID, websocket.DialOptions{HTTPHeader: bearer}, ""},
		"a header and our protocol":  {"/events/" + arn.ID, websocket.DialOptions{HTTPHeader: bearer, Subprotocols: []string{ours}}, ours},
		"the topic in the query":     {"/events?topic=" + arn.ID + "/publishers", websocket.DialOptions{Subprotocols: []string{jwt}}, jwt},
		"no topic but the token's":   {"/events/", websocket.DialOptions{Subprotocols: []string{jwt}}, jwt},
		"a page of any origin":       {"/events/", websocket.DialOptions{Subprotocols: []string{jwt}, HTTPHeader: http.Header{"Origin": {"https://app.example"}}}, jwt},
	} {
		t.Run(name, func(t *testing.T) {
			s, resp, err := d.dial(c.path, c.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != c.echo {
				t.Errorf("the chosen subprotocol is %q", got)
			}
			s.await("the state", kind("STAGE_STATE"))
		})
	}
}

func TestHandshakeIsRefused(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, _ := d.issue(arn)
	barred, barredID := d.issue(arn)
	if err := d.Service.Disconnect(d.Context(), d.Caller, arn, barredID, ""); err != nil {
		t.Fatal(err)
	}
	gone := d.Stage()
	orphan, _ := d.issue(gone)
	if err := d.Service.DeleteStage(d.Context(), d.Caller, gone); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path, jwt string
		status    int
		close     websocket.StatusCode
		code      string
	}{
		"without a token":             {"/events/" + arn.ID, "", 401, 4400, stage.CodeTokenMalformed},
		"with nonsense":               {"/events/" + arn.ID, "abc", 401, 4400, stage.CodeTokenMalformed},
		"with a barred token":         {"/events/" + arn.ID, barred, 403, 4003, stage.CodeParticipantDisconnected},
		"with a stage that is gone":   {"/events/" + gone.ID, orphan, 404, 4404, stage.CodeStageDeleted},
		"with another stage's path":   {"/events/other", jwt, 403, 4403, stage.CodeTokenNotAllowed},
		"with another stage's topic":  {"/events/?topic=other/publishers", jwt, 403, 4403, stage.CodeTokenNotAllowed},
		"with the token in the query": {"/events/?token=" + jwt, "", 401, 4400, stage.CodeTokenMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			var offered []string
			if c.jwt != "" {
				offered = append(offered, c.jwt)
			}
			_, resp, err := d.dial(c.path, websocket.DialOptions{Subprotocols: offered})
			if err == nil || resp.StatusCode != c.status {
				t.Fatalf("the answer is %v, %v", resp, err)
			}
			var problem struct{ Code, Detail string }
			if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil || problem.Code != c.code || problem.Detail == "" {
				t.Errorf("the problem is %+v, %v", problem, err)
			}

			s, _, err := d.dial(c.path, websocket.DialOptions{Subprotocols: append([]string{"callboard.events.v1"}, offered...)})
			if err != nil {
				t.Fatal(err)
			}
			last, code := s.end()
			if code != c.close || last.Type != "ERROR" || last.Payload.Code != c.code || last.Payload.Category != "JOIN_ERROR" || last.Payload.Message == "" {
				t.Errorf("the goodbye is %+v and %d", last, code)
			}
		})
	}
	t.Run("at another address", func(t *testing.T) {
		_, resp, err := d.dial("/events/a/b", websocket.DialOptions{})
		if err == nil || resp.StatusCode != 404 {
			t.Errorf("the answer is %v, %v", resp, err)
		}
	})
	t.Run("without an upgrade", func(t *testing.T) {
		r, _ := http.NewRequest("GET", d.server.URL+"/events/", nil)
		r.Header.Set("Authorization", "Bearer "+jwt)
		resp, err := d.server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("the answer is %s", resp.Status)
		}
	})
}

func TestExpiredTokenOpensNothing(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	s := d.attend(arn, jwt)
	s.await("the state", kind("STAGE_STATE"))
	d.Pass(13 * time.Hour)
	_, resp, err := d.dial("/events/", websocket.DialOptions{Subprotocols: []string{jwt}})
	if err == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the answer is %v, %v", resp, err)
	}
	late, _, err := d.dial("/events/", websocket.DialOptions{Subprotocols: []string{"callboard.events.v1", jwt}})
	if err != nil {
		t.Fatal(err)
	}
	if last, code := late.end(); code != 4401 || last.Payload.Code != stage.CodeTokenExpired {
		t.Errorf("the goodbye is %+v and %d", last, code)
	}
	s.send(`{"type":"PING"}`)
	s.await("a pong for who was here before", kind("PONG"))
	d.WantEvents(arn, id, "JOINED")
}
