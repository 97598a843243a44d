package desk

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"callboard/internal/stage"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

const descriptionFile = "../../docs/openapi.json"

func TestTheDescriptionInTheDocsIsThatOfTheServer(t *testing.T) {
	t.Parallel()
	want, err := Description()
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(descriptionFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(descriptionFile); err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/openapi.json is not what the routes say; -update writes it anew (%v)", err)
	}
	w := newWorld(t)
	var served, file map[string]any
	w.check(json.Unmarshal([]byte(w.send(httptest.NewRequest("GET", Root+"/openapi.json", nil)).body), &served))
	w.check(json.Unmarshal(want, &file))
	if a, b := mustJSON(served), mustJSON(file); a != b {
		t.Error("the server serves another description")
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// example is how to ask a route for a good answer: the path's words, and the rest.
type example struct {
	words map[string]string
	query string
	body  string
	setUp func(w *world, x *example)
}

// examples are by the names of the routes. A route without one is asked with the
// stage and the session of the test and the first value there is of what it requires.
var examples = map[string]example{
	"CreateWebhook":        {body: `{"url":"https://example.com/hook"}`},
	"GetWebhook":           {setUp: hooked},
	"UpdateWebhook":        {setUp: hooked, body: `{"rotateSecret":true}`},
	"DeleteWebhook":        {setUp: hooked},
	"RedeliverWebhook":     {setUp: hooked, body: `{"deadLetters":true}`},
	"ListDeadLetters":      {setUp: hooked},
	"EraseUser":            {body: `{"userId":"bob"}`},
	"ExplainToken":         {body: `{"token":"no.such.token"}`},
	"GetExplanation":       {setUp: somebody},
	"GetParticipantStages": {setUp: somebody},
}

// somebody names a participant.
func somebody(_ *world, x *example) { x.words["participant"] = "xZ3kQ9wPq1Lm" }

// hooked makes the webhook that a route is about.
func hooked(w *world, x *example) {
	var made webhookAndSecret
	w.ask("POST", "/webhooks", `{"url":"https://example.com/hook"}`, &made)
	x.words["webhook"] = made.Webhook.ID
}

func TestEveryRouteAnswersAsItIsDescribed(t *testing.T) {
	t.Parallel()
	for _, r := range table() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ann := w.enter(w.token(w.newStage(), "ann", map[string]string{"role": "host"}))
			w.record(ann, stage.PublishStarted)
			w.record(w.join(ann.Stage, "bob"), stage.Left)
			x := examples[r.name]
			x.words = map[string]string{"stage": ann.Stage.ID, "session": ann.SessionID}
			if x.setUp != nil {
				x.setUp(w, &x)
			}
			d := described(t)
			op := d.operation(r.method, Root+r.path)
			if op == nil {
				t.Fatalf("%s %s is not described", r.method, r.path)
			}
			if x.query == "" {
				x.query = required(d, op)
			}
			if r.media != nil {
				w.judgeStream(t, d, op, r, x)
				return
			}
			got := w.do(testKey, r.method, fill(r.path, x), x.body)
			w.judge(t, d, op, got)
			if got.status >= 300 {
				t.Errorf("the example is answered %d %s", got.status, got.body)
			}
			w.judgeRefusals(t, d, op, r, x)
		})
	}
}

// required is a query with what an operation does not do without.
func required(d *document, op map[string]any) string {
	query := url.Values{}
	for _, p := range d.parameters(op) {
		enum, _ := p["schema"].(map[string]any)["enum"].([]any)
		if p["in"] == "query" && p["required"] == true && len(enum) > 0 {
			query.Set(p["name"].(string), enum[0].(string))
		}
	}
	return query.Encode()
}

// fill makes the path of a request.
func fill(path string, x example) string {
	for word, value := range x.words {
		path = strings.ReplaceAll(path, "{"+word+"}", value)
	}
	if x.query != "" {
		path += "?" + x.query
	}
	return Root + path
}

// judge holds an answer against its description.
func (w *world) judge(t *testing.T, d *document, op map[string]any, got reply) {
	t.Helper()
	response := d.response(op, got.status)
	if response == nil {
		t.Errorf("the status %d is not described", got.status)
		return
	}
	content, _ := response["content"].(map[string]any)
	if content == nil {
		if got.body != "" {
			t.Errorf("%d has the body %s, which is not described", got.status, got.body)
		}
		return
	}
	media := got.header.Get("Content-Type")
	form, ok := content[media].(map[string]any)
	if !ok {
		t.Errorf("%d is of type %s, which is not described", got.status, media)
		return
	}
	d.validate(t, form["schema"], []byte(got.body))
}

// judgeRefusals asks what a route must refuse: what is not signed, what it does not
// take, and values that its parameters cannot have.
func (w *world) judgeRefusals(t *testing.T, d *document, op map[string]any, r route, x example) {
	t.Helper()
	if r.open {
		return
	}
	unsigned := w.send(httptest.NewRequest(r.method, fill(r.path, x), strings.NewReader(x.body)))
	if unsigned.status != 403 {
		t.Errorf("without a signature it answers %d", unsigned.status)
	}
	w.judge(t, d, op, unsigned)
	for _, query := range badQueries(d, op) {
		y := x
		y.query = query
		got := w.do(testKey, r.method, fill(r.path, y), x.body)
		if got.status != 400 {
			t.Errorf("?%s is answered %d %s", query, got.status, got.body)
		}
		w.judge(t, d, op, got)
	}
	w.may()
	denied := w.do(testKey, r.method, fill(r.path, x), x.body)
	if denied.status != 403 || !strings.Contains(denied.body, "callboard:"+r.name) {
		t.Errorf("who may nothing is answered %d %s", denied.status, denied.body)
	}
}

// badQueries are queries that the description does not allow.
func badQueries(d *document, op map[string]any) []string {
	bad := []string{"undeclared=1", "maxresults=1"}
	for _, p := range d.parameters(op) {
		if p["in"] != "query" {
			continue
		}
		name, form := p["name"].(string), p["schema"].(map[string]any)
		switch {
		case form["enum"] != nil:
			bad = append(bad, name+"=something")
		case form["type"] == "integer", form["type"] == "boolean", form["format"] == "date-time":
			bad = append(bad, name+"=something", name+"=")
		}
		if form["type"] != "object" {
			bad = append(bad, name+"=1&"+name+"=1")
		}
	}
	return bad
}

// judgeStream holds the messages of a watch, or the beginning of another stream,
// against the description.
func (w *world) judgeStream(t *testing.T, d *document, op map[string]any, r route, x example) {
	t.Helper()
	for _, query := range badQueries(d, op) {
		y := x
		y.query = query
		if got := w.get(fill(r.path, y)); got.status != 400 {
			t.Errorf("?%s is answered %d %s", query, got.status, got.body)
		} else {
			w.judge(t, d, op, got)
		}
	}
	if r.messages == nil {
		got := w.get(fill(r.path, x))
		if media := got.header.Get("Content-Type"); got.status != 200 || r.media[media] == "" {
			t.Errorf("the example is answered %d of type %s: %s", got.status, media, got.body)
		}
		return
	}
	v := w.view(t, w.serve()+fill(r.path, x), "")
	response := d.response(op, v.resp.StatusCode)
	content := response["content"].(map[string]any)[v.resp.Header.Get("Content-Type")].(map[string]any)
	messages := d.resolve(content["schema"].(map[string]any)["x-messages"])["properties"].(map[string]any)
	heard := map[string]bool{}
	for m, ok := v.next(); ok; m, ok = v.next() {
		heard[m.Event] = true
		if messages[m.Event] == nil {
			t.Errorf("the message %s is not described", m.Event)
			continue
		}
		d.validate(t, messages[m.Event], m.Data)
		switch {
		case m.Event == caughtUp:
			arn := stage.ARN{Region: testRegion, Account: w.caller.Account, Type: stage.TypeStage, ID: x.words["stage"]}
			w.record(w.join(arn, "carol"), stage.PublishStarted, stage.PublishStopped, stage.Left)
		case m.Event == left:
			w.Desk.Close()
		}
	}
	for _, name := range []string{snapshotPart, caughtUp, joined, published, unpublished, left, goodbye} {
		if !heard[name] {
			t.Errorf("%s was not heard, only %v", name, heard)
		}
	}
}

func TestEveryOperationHasItsOwnName(t *testing.T) {
	t.Parallel()
	var names []string
	for _, r := range table() {
		names = append(names, r.name)
	}
	slices.Sort(names)
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
		t.Errorf("the names are %v", names)
	}
}

func TestAPresignedQueryIsNoUndeclaredParameter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.join(w.newStage(), "ann")
	if got := w.send(httptest.NewRequest("GET", w.presign("http://example.com"+at(ann, "")), nil)); got.status != 200 {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}
