package desk

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/iam"
	"callboard/internal/stage"
)

func TestASessionIsReadByItsIDOrAsTheLiveOrTheLatestOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.join(w.newStage(), "ann")
	w.join(e.Stage, "bob")
	w.record(e, stage.Left)
	for _, name := range []string{e.SessionID, "live", "latest"} {
		var got session
		w.read(Root+"/stages/"+e.Stage.ID+"/sessions/"+name, &got)
		if got.SessionID != e.SessionID || got.StageARN != e.Stage.String() || got.Participants != 2 || got.Connected != 1 || got.EndTime != nil {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

func TestThereIsNoLiveSessionAfterItsEndButALatestOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.join(w.newStage(), "ann")
	w.record(e, stage.Left)
	w.pass(time.Minute)
	w.check(w.register.Sweep(t.Context()))
	if got := w.get(Root + "/stages/" + e.Stage.ID + "/sessions/live"); got.status != 404 || got.code() != "ResourceNotFoundException" {
		t.Errorf("live answers %d %s", got.status, got.body)
	}
	var latest session
	w.read(Root+"/stages/"+e.Stage.ID+"/sessions/latest", &latest)
	if latest.SessionID != e.SessionID || latest.EndTime == nil {
		t.Errorf("latest is %+v", latest)
	}
	for _, path := range []string{"/stages/" + e.Stage.ID + "/sessions/st-nothere", "/stages/nothere/sessions/latest"} {
		if got := w.get(Root + path); got.status != 404 {
			t.Errorf("%s answers %d %s", path, got.status, got.body)
		}
	}
}

func TestAVisitorDoesWhatHisPoliciesAllow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, other := w.join(w.newStage(), ""), w.join(w.newStage(), "")
	w.may(`{"Statement": {"Sid": "A", "Effect": "Allow", "Action": "callboard:Get*", "Resource": "` + e.Stage.String() + `"}}`)
	if got := w.get(at(e, "")); got.status != 200 {
		t.Errorf("allowed, but answered %d %s", got.status, got.body)
	}
	got := w.get(at(other, ""))
	if got.status != 403 || got.code() != "AccessDeniedException" || !strings.Contains(got.body, "callboard:GetSession on resource: "+other.Stage.String()) {
		t.Errorf("not allowed, but answered %d %s", got.status, got.body)
	}
	if got := w.do(otherKey, "GET", at(e, ""), ""); got.status != 404 {
		t.Errorf("another account is answered %d %s", got.status, got.body)
	}
}

func TestWhoHasNotSignedGetsNothingButTheDescription(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.join(w.newStage(), "")
	if got := w.send(httptest.NewRequest("GET", at(e, ""), nil)); got.status != 403 || got.code() != "MissingAuthenticationTokenException" {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	if got := w.send(httptest.NewRequest("GET", Root+"/openapi.json", nil)); got.status != 200 || !strings.Contains(got.body, "3.1.0") {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	if !slices.Contains(w.observed, "GetSession Forbidden") || !slices.Contains(w.observed, "GetDescription OK") {
		t.Errorf("observed were %v", w.observed)
	}
}

func TestRoutesAreThereUnderTheBasePathAndWithoutIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.join(w.newStage(), "")
	if got := w.get("/base" + at(e, "")); got.status != 200 {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	for _, path := range []string{"/", "/stages", "/stages//sessions/live", "/stages/a/sessions/live/", "/nothing"} {
		if got := w.get(Root + path); got.status != 403 || got.code() != "MissingAuthenticationTokenException" {
			t.Errorf("%s answers %d %s", path, got.status, got.body)
		}
	}
	if got := w.do(testKey, "DELETE", at(e, ""), ""); got.status != 403 {
		t.Errorf("DELETE answers %d %s", got.status, got.body)
	}
}

func TestAPageOfAnotherHostMayAskBeforeItSendsASignedRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.send(httptest.NewRequest(http.MethodOptions, Root+"/stages/a/sessions/live", nil))
	if got.status != 204 || got.header.Get("Access-Control-Allow-Methods") != "GET,OPTIONS" {
		t.Errorf("answered %d %v", got.status, got.header)
	}
}

func TestWhatARouteDoesNotTakeIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.join(w.newStage(), "")
	for _, q := range []string{"?state=CONNECTED", "?x", "?%zz"} {
		if got := w.get(at(e, q)); got.status != 400 && got.status != 403 {
			t.Errorf("%s is answered %d %s", q, got.status, got.body)
		}
	}
	if got := w.do(testKey, "GET", at(e, ""), "{}"); got.status != 400 {
		t.Errorf("a body is answered %d %s", got.status, got.body)
	}
}

func TestEveryActionIsKnownToThePolicyChecks(t *testing.T) {
	t.Parallel()
	for _, name := range Actions() {
		if doubts := (iam.Request{Action: "callboard:" + name, Resource: "*"}).Doubts(); doubts != nil {
			t.Errorf("%s is doubted: %v", name, doubts)
		}
	}
}
