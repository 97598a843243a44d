package whip_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"callboard/internal/live/livetest"
	"callboard/internal/sfu"
	"callboard/internal/stage"
	"callboard/internal/whip"
)

func TestWhatIsReceivedIsChosenAtTheLinkOfTheAnswer(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	viewer, _ := d.issue(arn, stage.Subscribe)
	session, _ := d.publish(arn, jwt, id)
	receiving := livetest.Subscriber(t)
	offer := receiving.Offer()
	var b answer
	d.Await("the publication to be shown", func() bool {
		b = d.post("/whip/subscribe/"+id, viewer, offer)
		return b.StatusCode != http.StatusConflict
	}, nil)
	place, rest, _ := strings.Cut(strings.TrimPrefix(b.Header.Get("Link"), "<"), ">")
	if place != b.Header.Get("Location")+"/layer" || rest != `; rel="urn:callboard:whep:ext:layer"` {
		t.Fatalf("the link is %q", b.Header.Get("Link"))
	}
	receiving.Connect(b.body)
	d.Await("packets", func() bool { return receiving.Packets() > 10 }, nil)

	const json = "application/json"
	want := func(video string) {
		t.Helper()
		a := d.do(request{method: "GET", path: place, jwt: viewer})
		if got := strings.TrimSpace(a.body); got != `{"layers":[],"selected":"","auto":true,"video":`+video+`,"paused":false}` || a.Header.Get("Content-Type") != json {
			t.Errorf("to see is %s %s", a.Header.Get("Content-Type"), got)
		}
	}
	want("true")
	for _, c := range []struct {
		name string
		request
		status int
	}{
		{"nothing", request{jwt: viewer, contentType: json, body: `{}`}, 400},
		{"a layer without a name", request{jwt: viewer, contentType: json, body: `{"layer":""}`}, 400},
		{"something of another type", request{jwt: viewer, contentType: json, body: `{"layer":7}`}, 400},
		{"something that is no JSON", request{jwt: viewer, contentType: json, body: `layer=hi`}, 400},
		{"too much", request{jwt: viewer, contentType: json, body: `{"layer":"` + strings.Repeat("x", 70000) + `"}`}, 413},
		{"in another media type", request{jwt: viewer, contentType: "text/plain", body: `{"layer":"auto"}`}, 415},
		{"a layer that does not exist", request{jwt: viewer, contentType: json, body: `{"layer":"hi","video":false}`}, 409},
		{"with somebody else's token", request{jwt: jwt, contentType: json, body: `{"video":false}`}, 403},
		{"without a token", request{contentType: json, body: `{"video":false}`}, 401},
		{"for a session that is not there", request{path: "/whip/sessions/none/layer", jwt: viewer, contentType: json, body: `{"video":false}`}, 404},
		{"for a publication", request{path: session + "/layer", jwt: jwt, contentType: json, body: `{"video":false}`}, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.method = "PUT"; c.path == "" {
				c.path = place
			}
			wantProblem(t, d.do(c.request), c.status, map[int]string{401: stage.CodeTokenMalformed, 403: stage.CodeTokenNotAllowed}[c.status])
		})
	}
	want("true")
	for body, video := range map[string]string{`{"layer":"auto","video":false,"more":1}`: "false", `{"layer":"auto","video":true}`: "true"} {
		a := d.do(request{method: "PUT", path: place, jwt: viewer, contentType: json, body: body})
		if a.StatusCode != http.StatusNoContent || a.body != "" {
			t.Errorf("%s: %s %s", body, a.Status, a.body)
		}
		want(video)
	}
	if a := d.do(request{method: "OPTIONS", path: place}); a.StatusCode != 204 || !strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), "PUT") {
		t.Errorf("a preflight: %s %v", a.Status, a.Header)
	}
	if a := d.do(request{method: "DELETE", path: place, jwt: viewer}); a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "GET, PUT, POST, OPTIONS" {
		t.Errorf("DELETE: %s, allowed is %s", a.Status, a.Header.Get("Allow"))
	}
}

// What Amazon's SDKs say to choose a layer, and the early drafts of WHEP.
func TestTheLayerExtensionOfWHEPChoosesToo(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	viewer, _ := d.issue(arn, stage.Subscribe)
	d.publish(arn, jwt, id)
	receiving := livetest.Subscriber(t)
	offer := receiving.Offer()
	var b answer
	d.Await("the publication to be shown", func() bool {
		b = d.post("/whip/subscribe/"+id, viewer, offer)
		return b.StatusCode != http.StatusConflict
	}, nil)
	place := b.Header.Get("Location") + "/layer"
	if want := "<" + place + `>; rel="urn:ietf:params:whep:ext:core:layer"`; !slices.Contains(b.Header.Values("Link"), want) {
		t.Fatalf("the links are %q", b.Header.Values("Link"))
	}
	for body, status := range map[string]int{
		`{}`:                                http.StatusNoContent,
		`{"mediaId":"1","encodingId":"hi"}`: http.StatusConflict, // one layer is all there is
		`{"encodingId":7}`:                  http.StatusBadRequest,
		`hi`:                                http.StatusBadRequest,
	} {
		if a := d.do(request{method: "POST", path: place, jwt: viewer, contentType: "application/json", body: body}); a.StatusCode != status {
			t.Errorf("%s: %s %s", body, a.Status, a.body)
		}
	}
}

// Amazon's SDKs take the layer with the highest rates for the best one.
func TestNoLayerIsSaidToHaveLessThanALowerOne(t *testing.T) {
	t.Parallel()
	shown := whip.Show(sfu.View{Layers: []sfu.Layer{
		{Label: "hi", Bitrate: 300_000, FrameRate: 12}, {Label: "mid", Bitrate: 700_400, FrameRate: 15.2}, {Label: "low", Bitrate: 200_000, FrameRate: 14},
	}})
	for i, want := range []struct{ bitrate, frames, bits, fps int }{{700, 15, 300_000, 12}, {700, 15, 700_400, 15}, {200, 14, 200_000, 14}} {
		l := shown.Layers[i]
		if l.Bitrate != want.bitrate || int(l.FramesPerSecond) != want.frames || l.BitsPerSecond != want.bits || int(l.FPS) != want.fps {
			t.Errorf("%s: %+v, want %+v", l.Label, l, want)
		}
	}
}
