package desk

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"callboard/internal/hook"
	"callboard/internal/stage"
)

func TestAWebhookIsMadeReadChangedListedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.newStage()
	var made webhookAndSecret
	w.ask("POST", "/webhooks", `{"name":"crm","url":"https://example.com/a?b=c","eventNames":["Participant Joined"],"stageArns":["`+arn.String()+`"]}`, &made)
	if hook.CheckSecret(made.Secret) != nil || made.Webhook.Name != "crm" || made.Webhook.Disabled || len(made.Webhook.StageARNs) != 1 {
		t.Fatalf("made %+v", made)
	}
	one := "/webhooks/" + made.Webhook.ID
	got := w.get(Root + one)
	if got.status != 200 || strings.Contains(got.body, "whsec_") || !strings.Contains(got.body, `"url":"https://example.com/a?b=c"`) {
		t.Errorf("read %d %s", got.status, got.body)
	}
	var changed webhookAndSecret
	w.ask("PATCH", one, `{"disabled":true,"rotateSecret":true,"eventNames":[]}`, &changed)
	if !changed.Webhook.Disabled || changed.Secret == "" || changed.Secret == made.Secret || len(changed.Webhook.EventNames) != 0 || changed.Webhook.URL != made.Webhook.URL {
		t.Errorf("changed into %+v", changed)
	}
	for i := range 4 {
		w.ask("POST", "/webhooks", fmt.Sprintf(`{"name":"n%d","url":"https://example.com/"}`, i), &webhookAndSecret{})
	}
	var names []string
	for next := "?maxResults=2"; next != ""; {
		var page webhookList
		w.read(Root+"/webhooks"+next, &page)
		for _, h := range page.Webhooks {
			names = append(names, h.Name)
		}
		if next = page.NextToken; next != "" {
			next = "?maxResults=2&nextToken=" + next
		}
	}
	if fmt.Sprint(names) != "[crm n0 n1 n2 n3]" {
		t.Errorf("listed %v", names)
	}
	if got := w.do(otherKey, "GET", Root+one, ""); got.status != 404 {
		t.Errorf("another account is answered %d %s", got.status, got.body)
	}
	if got := w.do(testKey, "DELETE", Root+one, ""); got.status != 204 {
		t.Errorf("deletion is answered %d %s", got.status, got.body)
	}
	if got := w.get(Root + one); got.status != 404 {
		t.Errorf("afterwards it is answered %d %s", got.status, got.body)
	}
}

func TestEventsAreAskedForOnceMoreInOneWayAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var made webhookAndSecret
	w.ask("POST", "/webhooks", `{"url":"https://example.com/"}`, &made)
	w.join(w.newStage(), "ann")
	one := "/webhooks/" + made.Webhook.ID
	for _, one := range []struct {
		body string
		want int
	}{{`{"eventNumbers":[1,2]}`, 2}, {`{"since":"2026-01-01T00:00:00Z"}`, 0}, {`{"deadLetters":true}`, 0}} { // what is asked for twice comes once
		var out redelivered
		if w.ask("POST", "/webhooks/"+made.Webhook.ID+"/redeliver", one.body, &out); out.Events != one.want {
			t.Errorf("%s: %+v", one.body, out)
		}
	}
	for body, status := range map[string]int{
		`{}`: 400, `{"eventNumbers":[1],"deadLetters":true}`: 400, `{"eventNumbers":[9]}`: 404, `{"since":"x"}`: 400, ``: 400,
	} {
		if got := w.do(testKey, "POST", Root+one+"/redeliver", body); got.status != status {
			t.Errorf("%s is answered %d %s", body, got.status, got.body)
		}
	}
	var letters deadLetterList
	if w.read(Root+one+"/deadletters", &letters); letters.DeadLetters == nil || len(letters.DeadLetters) != 0 {
		t.Errorf("dead letters: %+v", letters)
	}
}

func TestWebhooksThatMakeNoSenseAreAnsweredWithTheReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, word := range map[string]string{
		`{"url":"http://169.254.169.254/latest/meta-data"}`:                       "not one of the internet",
		`{"url":"gopher://example.com"}`:                                          "https://",
		`{"url":"https://example.com","eventNames":["Nothing"]}`:                  "Participant Joined",
		`{"url":"https://example.com","stageArns":["arn:x"]}`:                     "not an ARN",
		`{"url":"https://example.com","secret":"short"}`:                          "whsec_",
		`{"url":"https://example.com","unknown":1}`:                               "unknown",
		`{"url":"https://example.com"}{}`:                                         "follows",
		`{"url":"https://example.com","name":"` + strings.Repeat("x", 129) + `"}`: "128",
	} {
		if got := w.do(testKey, "POST", Root+"/webhooks", body); got.status != 400 || !strings.Contains(got.body, word) || strings.Contains(got.body, "short") {
			t.Errorf("%s is answered %d %s", body, got.status, got.body)
		}
	}
}

func TestAUserIsErasedThroughTheDesk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.join(w.newStage(), "ann")
	if got := w.do(testKey, "POST", Root+"/erasures", `{"userId":"ann"}`); got.status != 409 || !strings.Contains(got.body, e.ParticipantID) {
		t.Errorf("while connected it is answered %d %s", got.status, got.body)
	}
	w.record(e, stage.Left)
	if got := w.do(otherKey, "POST", Root+"/erasures", `{"userId":"ann","stageArn":"`+e.Stage.String()+`"}`); got.status != 403 {
		t.Errorf("another account is answered %d %s", got.status, got.body)
	}
	var out erased
	w.ask("POST", "/erasures", `{"userId":"ann"}`, &out)
	if out != (erased{Participants: 1, Sessions: 1}) {
		t.Errorf("erased %+v", out)
	}
	w.ask("POST", "/erasures", `{"userId":"ann"}`, &out)
	if out != (erased{}) {
		t.Errorf("erased once more %+v", out)
	}
	for _, body := range []string{`{}`, `{"userId":""}`, `{"userId":"` + strings.Repeat("x", 129) + `"}`, `{"userId":"a","stageArn":"x"}`} {
		if got := w.do(testKey, "POST", Root+"/erasures", body); got.status != 400 {
			t.Errorf("%s is answered %d %s", body, got.status, got.body)
		}
	}
}

// ask sends a body and reads the answer, which must be good.
func (w *world) ask(method, path, body string, into any) {
	w.t.Helper()
	got := w.do(testKey, method, Root+path, body)
	if got.status != 200 {
		w.t.Fatalf("%s %s is answered %d %s", method, path, got.status, got.body)
	}
	w.check(json.Unmarshal([]byte(got.body), into))
}

func FuzzBodyOfAWebhook(f *testing.F) {
	f.Add(`{"url":"https://example.com","eventNames":["Participant Left"],"secret":"whsec_"}`)
	f.Add(`{"disabled":true,"stageArns":["arn:aws:ivs:us-east-1:123456789012:stage/a"]}`)
	w := newWorld(f)
	var made webhookAndSecret
	w.ask("POST", "/webhooks", `{"url":"https://example.com/"}`, &made)
	f.Fuzz(func(t *testing.T, body string) {
		for _, at := range [][2]string{{"POST", "/webhooks"}, {"PATCH", "/webhooks/" + made.Webhook.ID}, {"POST", "/webhooks/" + made.Webhook.ID + "/redeliver"}, {"POST", "/erasures"}} {
			if got := w.do(testKey, at[0], Root+at[1], body); got.status >= 500 || strings.Contains(got.body, "panic") {
				t.Fatalf("%s %s is answered %d %s", at[0], at[1], got.status, got.body)
			}
		}
	})
}
