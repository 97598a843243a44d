package presence_test

import (
	"testing"

	"github.com/coder/websocket"

	"callboard/internal/live/livetest"
	"callboard/internal/presence"
	"callboard/internal/stage"
)

// asAmazonsSDK opens a socket as Amazon's SDK for browsers does.
func (d *door) asAmazonsSDK(arn stage.ARN, jwt string) *seat {
	d.t.Helper()
	s, _, err := d.dial("/events?error_over_ws=1&topic="+arn.ID+"/publishers&traceid=1-2-3", websocket.DialOptions{Subprotocols: []string{jwt}})
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

func TestAmazonsSDKIsToldWhyItHasToGoInItsOwnWords(t *testing.T) {
	t.Parallel()
	for code, end := range map[string]func(d *door, arn stage.ARN, id, jwt string) error{
		"TOKEN_REUSED": func(d *door, arn stage.ARN, _, jwt string) error { d.asAmazonsSDK(arn, jwt); return nil },
		"STAGE_DELETED": func(d *door, arn stage.ARN, _, _ string) error {
			return d.Service.DeleteStage(d.Context(), d.Caller, arn)
		},
		"PARTICIPANT_DISCONNECTED": func(d *door, arn stage.ARN, id, _ string) error {
			return d.Service.Disconnect(d.Context(), d.Caller, arn, id, "")
		},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			d := open(t, livetest.Setting{}, presence.Options{})
			arn := d.Stage()
			jwt, id := d.issue(arn)
			s := d.asAmazonsSDK(arn, jwt)
			s.await("the state", kind("STAGE_STATE"))
			if err := end(d, arn, id, jwt); err != nil {
				t.Fatal(err)
			}
			if last, _ := s.end(); last.Type != "aws:ivs:DISCONNECT" || last.Payload.Code != code {
				t.Errorf("the goodbye is %+v", last)
			}
		})
	}
	t.Run("a server that comes back", func(t *testing.T) {
		t.Parallel()
		d := open(t, livetest.Setting{}, presence.Options{})
		arn := d.Stage()
		jwt, _ := d.issue(arn)
		s := d.asAmazonsSDK(arn, jwt)
		s.await("the state", kind("STAGE_STATE"))
		d.Stop()
		if last, code := s.end(); last.Type == "aws:ivs:DISCONNECT" || code != websocket.StatusGoingAway {
			t.Errorf("the goodbye is %+v and %d: the SDK would not come back", last, code)
		}
	})
}

func TestAmazonsSDKIsToldOnTheSocketWhyItMayNotJoin(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn, gone := d.Stage(), d.Stage()
	barred, id := d.issue(arn)
	if err := d.Service.Disconnect(d.Context(), d.Caller, arn, id, ""); err != nil {
		t.Fatal(err)
	}
	orphan, _ := d.issue(gone)
	if err := d.Service.DeleteStage(d.Context(), d.Caller, gone); err != nil {
		t.Fatal(err)
	}
	elsewhere, _ := d.issue(arn)
	for code, c := range map[string]struct {
		arn stage.ARN
		jwt string
	}{
		"TOKEN_INVALID":            {arn, "abc"},
		"PARTICIPANT_DISCONNECTED": {arn, barred},
		"STAGE_DELETED":            {gone, orphan},
		"TOKEN_NOT_ALLOWED":        {gone, elsewhere},
	} {
		t.Run(code, func(t *testing.T) {
			last, closed := d.asAmazonsSDK(c.arn, c.jwt).end()
			if last.Type != "aws:ivs:JOIN_ERROR" || last.Payload.Code != code || last.Payload.Message == "" || closed < 4000 {
				t.Errorf("the refusal is %+v and %d", last, closed)
			}
		})
	}
}
