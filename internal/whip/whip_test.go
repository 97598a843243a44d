package whip_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callboard/internal/live/livetest"
	"callboard/internal/stage"
	"callboard/internal/whip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door is a world with an endpoint in front.
type door struct {
	*livetest.World
	t      *testing.T
	server *httptest.Server
}

func open(t *testing.T, o whip.Options) *door {
	t.Helper()
	d := &door{World: livetest.Open(t, livetest.Setting{}), t: t}
	o.Register, o.Floor, o.Prefix = d.Register, d.Floor, "/whip"
	d.server = httptest.NewServer(whip.New(o))
	t.Cleanup(d.server.Close)
	t.Cleanup(d.server.Client().CloseIdleConnections)
	return d
}

// request is one HTTP request; zero members are left out.
type request struct {
	method, path, jwt, contentType, body string
	header                               http.Header
}

// answer is what came back.
type answer struct {
	*http.Response
	body string
}

func (d *door) do(r request) answer {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.Context(), r.method, d.server.URL+r.path, strings.NewReader(r.body))
	if err != nil {
		d.t.Fatal(err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.jwt != "" {
		req.Header.Set("Authorization", "Bearer "+r.jwt)
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	resp, err := d.server.Client().Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		d.t.Errorf("%s %s: pages may not read the answer", r.method, r.path)
	}
	return answer{resp, string(body)}
}

func (d *door) post(path, jwt, offer string) answer {
	d.t.Helper()
	return d.do(request{method: "POST", path: path, jwt: jwt, contentType: "application/sdp", body: offer})
}

// wantProblem checks status, problem details and the code in them.
func wantProblem(t *testing.T, a answer, status int, code string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("the status is %s, not %d: %s", a.Status, status, a.body)
	}
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("the body is %s", got)
	}
	var p struct {
		Type, Title, Detail, Code string
		Status                    int
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatal(err)
	}
	if p.Code != code || p.Status != a.StatusCode || p.Detail == "" || p.Title == "" || p.Type == "" {
		t.Errorf("the problem is %s", a.body)
	}
}

func (d *door) issue(arn stage.ARN, capabilities ...stage.Capability) (jwt, id string) {
	d.t.Helper()
	jwt = d.Token(arn, capabilities...)
	a, err := d.Register.Admit(d.Context(), jwt)
	if err != nil {
		d.t.Fatal(err)
	}
	return jwt, a.ParticipantID
}

// publish has a participant publish and gives the URL path of the session.
func (d *door) publish(arn stage.ARN, jwt, id string) (string, *livetest.Peer) {
	d.t.Helper()
	p := livetest.Publisher(d.t)
	a := d.post("/whip", jwt, p.Offer())
	if a.StatusCode != http.StatusCreated {
		d.t.Fatal(a.Status, a.body)
	}
	p.Connect(a.body)
	p.Play()
	d.AwaitEvents(arn, id, "JOINED", "PUBLISH_STARTED")
	return a.Header.Get("Location"), p
}

func TestPublishAndSubscribeFromOfferToDelete(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	viewerJWT, viewer := d.issue(arn, stage.Subscribe)

	sending := livetest.Publisher(t)
	a := d.do(request{
		method: "POST", path: "/whip/publish/" + id, jwt: jwt, contentType: "application/sdp; charset=utf-8", body: sending.Offer(),
		header: http.Header{"X-Stages-Sdk": {"1.41.0"}, "X-Stages-Platform": {"web"}, "User-Agent": {"Mothra/9"}},
	})
	if a.StatusCode != http.StatusCreated || a.Header.Get("Content-Type") != "application/sdp" {
		t.Fatal(a.Status, a.Header, a.body)
	}
	location, err := a.Location()
	if err != nil || !strings.HasPrefix(location.Path, "/whip/sessions/") || len(location.Path) < len("/whip/sessions/")+22 {
		t.Fatalf("the session is at %v (%v)", location, err)
	}
	if etag := a.Header.Get("ETag"); len(etag) < 3 || etag[0] != '"' {
		t.Errorf("the entity tag is %s", etag)
	}
	sending.Connect(a.body)
	sending.Play()
	d.AwaitEvents(arn, id, "JOINED", "PUBLISH_STARTED")
	if got := d.Client(arn, id); got.SDKVersion != "1.41.0" || got.BrowserName != "Mothra" {
		t.Errorf("the client is %+v", got)
	}

	receiving := livetest.Subscriber(t)
	offer := receiving.Offer()
	var b answer
	d.Await("the publication to be shown", func() bool {
		b = d.post("/whip/subscribe/"+id+"?initial=highest&layer=auto", viewerJWT, offer)
		return b.StatusCode != http.StatusConflict
	}, nil)
	if b.StatusCode != http.StatusCreated || !strings.Contains(b.body, "msid:"+id+" ") {
		t.Fatal(b.Status, b.body)
	}
	receiving.Connect(b.body)
	d.Await("packets", func() bool { return receiving.Packets() > 10 }, nil)

	for _, end := range []struct{ path, jwt string }{{b.Header.Get("Location"), viewerJWT}, {location.Path, jwt}} {
		if c := d.do(request{method: "DELETE", path: end.path, jwt: end.jwt, header: http.Header{"If-Match": {`"stale"`}}}); c.StatusCode != http.StatusOK {
			t.Error("DELETE:", c.Status, c.body)
		}
		wantProblem(t, d.do(request{method: "DELETE", path: end.path, jwt: end.jwt}), http.StatusNotFound, "")
	}
	d.WantEvents(arn, viewer, "JOINED", "SUBSCRIBE_STARTED "+id, "SUBSCRIBE_STOPPED "+id, "LEFT")
	d.WantEvents(arn, id, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
	livetest.Wait(t, "the publication's end", sending.Down())
}

func TestTheRollHasWhoeverReadsA201(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	arn := d.Stage()
	for range 20 {
		jwt, id := d.issue(arn)
		if a := d.post("/whip", jwt, livetest.Publisher(t).Offer()); a.StatusCode != http.StatusCreated {
			t.Fatal(a.Status, a.body)
		}
		if !slices.Contains(d.Connected(arn), id) {
			t.Fatalf("%s has its answer and is not connected", id)
		}
	}
}

func TestLocationIsTheOneThatClientsKnow(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{PublicPath: "/media/whip/"})
	jwt, _ := d.issue(d.Stage())
	a := d.post("/whip/", jwt, livetest.Publisher(t).Offer())
	if got := a.Header.Get("Location"); !strings.HasPrefix(got, "/media/whip/sessions/") {
		t.Errorf("the session is at %q", got)
	}
}

func TestOffersAreRefused(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	viewer, _ := d.issue(arn, stage.Subscribe)
	gone := d.Stage()
	orphan, _ := d.issue(gone)
	if err := d.Service.DeleteStage(d.Context(), d.Caller, gone); err != nil {
		t.Fatal(err)
	}
	barred, barredID := d.issue(arn)
	if err := d.Service.Disconnect(d.Context(), d.Caller, arn, barredID, ""); err != nil {
		t.Fatal(err)
	}
	sending, receiving := livetest.Publisher(t).Offer(), livetest.Subscriber(t).Offer()
	const sdp = "application/sdp"
	for name, c := range map[string]struct {
		request
		status int
		code   string
	}{
		"without a token":                   {request{path: "/whip", contentType: sdp, body: sending}, 401, stage.CodeTokenMalformed},
		"with another scheme":               {request{path: "/whip", contentType: sdp, body: sending, header: http.Header{"Authorization": {"Basic abc"}}}, 401, stage.CodeTokenMalformed},
		"with something that is no token":   {request{path: "/whip", jwt: "abc", contentType: sdp, body: sending}, 401, stage.CodeTokenMalformed},
		"with a token for a stage gone":     {request{path: "/whip", jwt: orphan, contentType: sdp, body: sending}, 404, stage.CodeStageDeleted},
		"with a barred token":               {request{path: "/whip", jwt: barred, contentType: sdp, body: sending}, 403, stage.CodeParticipantDisconnected},
		"without the capability":            {request{path: "/whip", jwt: viewer, contentType: sdp, body: sending}, 403, stage.CodeTokenNotAllowed},
		"in the name of somebody else":      {request{path: "/whip/publish/other", jwt: jwt, contentType: sdp, body: sending}, 403, stage.CodeTokenNotAllowed},
		"without a content type":            {request{path: "/whip", jwt: jwt, body: sending}, 415, ""},
		"with another content type":         {request{path: "/whip", jwt: jwt, contentType: "text/plain", body: sending}, 415, ""},
		"that are none":                     {request{path: "/whip", jwt: jwt, contentType: sdp, body: "hello"}, 400, ""},
		"that are empty":                    {request{path: "/whip", jwt: jwt, contentType: sdp}, 400, ""},
		"that are too long":                 {request{path: "/whip", jwt: jwt, contentType: sdp, body: sending + strings.Repeat("a=x\r\n", 14000)}, 413, ""},
		"in the wrong direction":            {request{path: "/whip", jwt: jwt, contentType: sdp, body: receiving}, 422, ""},
		"without Opus":                      {request{path: "/whip", jwt: jwt, contentType: sdp, body: strings.ReplaceAll(sending, " opus/", " speex/")}, 422, ""},
		"to watch somebody who is not here": {request{path: "/whip/subscribe/nobody", jwt: viewer, contentType: sdp, body: receiving}, 404, ""},
		"to watch oneself":                  {request{path: "/whip/subscribe/" + id, jwt: jwt, contentType: sdp, body: receiving}, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.method = "POST"
			a := d.do(c.request)
			wantProblem(t, a, c.status, c.code)
			if c.status == http.StatusUnauthorized && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Error("no challenge")
			}
		})
	}
	d.Await("no peers", func() bool { return d.Engine.Stats().Peers == 0 }, nil)
}

func TestExpiredTokenOpensNothingButEndsWhatItOpened(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	session, p := d.publish(arn, jwt, id)
	d.Pass(13 * time.Hour)
	a := d.post("/whip", jwt, livetest.Publisher(t).Offer())
	wantProblem(t, a, http.StatusUnauthorized, stage.CodeTokenExpired)
	if a := d.do(request{method: "DELETE", path: session, jwt: jwt}); a.StatusCode != http.StatusOK {
		t.Error("DELETE:", a.Status, a.body)
	}
	livetest.Wait(t, "the publication's end", p.Down())
}

func TestViewersComeBackLaterForSomebodyWhoDoesNotPublishYet(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	viewer, _ := d.issue(arn)
	p := livetest.Publisher(t)
	a := d.post("/whip", jwt, p.Offer())
	p.Connect(a.body) // but plays nothing
	d.AwaitEvents(arn, id, "JOINED")
	var b answer
	d.Await("the publisher to be shown", func() bool {
		b = d.post("/whip/subscribe/"+id, viewer, livetest.Subscriber(t).Offer())
		return b.StatusCode != http.StatusNotFound
	}, nil)
	wantProblem(t, b, http.StatusConflict, "")
	if got := b.Header.Get("Retry-After"); got != "2" {
		t.Errorf("to be tried again after %q", got)
	}
	c := d.do(request{
		method: "POST", path: "/whip/subscribe/" + id, jwt: viewer, contentType: "application/sdp",
		body: livetest.Subscriber(t).Offer(), header: http.Header{"X-Stages-Sdk": {"1.41.0"}},
	})
	wantProblem(t, c, http.StatusTooManyRequests, "") // which is what Amazon's SDKs come back after
}

func TestServerThatShutsDownSaysSo(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	jwt, _ := d.issue(d.Stage())
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	a := d.post("/whip", jwt, livetest.Publisher(t).Offer())
	wantProblem(t, a, http.StatusServiceUnavailable, "")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestAddressesAnswerWithoutAToken(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	session, _ := d.publish(arn, jwt, id)
	for name, c := range map[string]struct {
		method, path string
		status       int
	}{
		"GET of the endpoint":           {"GET", "/whip", 204},
		"GET of a publish address":      {"GET", "/whip/publish/" + id, 204},
		"GET of a session":              {"GET", session, 204},
		"GET of no session":             {"GET", "/whip/sessions/none", 404},
		"HEAD of the endpoint":          {"HEAD", "/whip/subscribe/" + id, 200},
		"HEAD of a session":             {"HEAD", session, 204},
		"OPTIONS of the endpoint":       {"OPTIONS", "/whip", 204},
		"OPTIONS of a session":          {"OPTIONS", session, 204},
		"OPTIONS of a session gone":     {"OPTIONS", "/whip/sessions/none", 204},
		"PUT of a session":              {"PUT", session, 405},
		"POST of a session":             {"POST", session, 405},
		"DELETE of the endpoint":        {"DELETE", "/whip", 405},
		"something else":                {"GET", "/whip/other", 404},
		"something deeper":              {"GET", "/whip/sessions/a/b", 404},
		"something that begins alike":   {"POST", "/whipped", 404},
		"a subscription without a name": {"POST", "/whip/subscribe/", 404},
	} {
		t.Run(name, func(t *testing.T) {
			a := d.do(request{method: c.method, path: c.path})
			if a.StatusCode != c.status {
				t.Errorf("the status is %s, not %d", a.Status, c.status)
			}
			if a.StatusCode == 204 && a.body != "" {
				t.Errorf("the body is %q", a.body)
			}
			if a.StatusCode == 405 && a.Header.Get("Allow") == "" {
				t.Error("no Allow")
			}
			if c.method == "HEAD" && a.StatusCode == 200 && a.Header.Get("Content-Type") != "application/sdp" {
				t.Error("players cannot tell what this is")
			}
		})
	}
}

func TestPreflightAllowsWhatSDKsSend(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	for path, accept := range map[string]string{"/whip/subscribe/x": "Accept-Post", "/whip/sessions/x": "Accept-Patch"} {
		a := d.do(request{method: "OPTIONS", path: path, header: http.Header{
			"Origin":                         {"https://app.example"},
			"Access-Control-Request-Method":  {"POST"},
			"Access-Control-Request-Headers": {"authorization,content-type, x-stages-sdk,x-stages-trace-id,bad\theader"},
		}})
		allowed := strings.Split(a.Header.Get("Access-Control-Allow-Headers"), ", ")
		if want := []string{"Authorization", "Content-Type", "If-Match", "x-stages-sdk", "x-stages-trace-id"}; !slices.Equal(allowed, want) {
			t.Errorf("allowed headers are %q", allowed)
		}
		for _, name := range []string{accept, "Access-Control-Allow-Methods", "Access-Control-Max-Age"} {
			if a.Header.Get(name) == "" {
				t.Errorf("OPTIONS %s lacks %s", path, name)
			}
		}
		if got := a.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(got, "Location") || !strings.Contains(got, "ETag") {
			t.Errorf("exposed headers are %q", got)
		}
	}
}

func TestSessionsArePatchedByTheirOwner(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	other, _ := d.issue(arn)
	p := livetest.Publisher(t)
	created := d.post("/whip", jwt, p.Offer())
	session, etag := created.Header.Get("Location"), created.Header.Get("ETag")
	p.Connect(created.body)
	d.AwaitEvents(arn, id, "JOINED")

	const fragment = "application/trickle-ice-sdpfrag"
	local := p.PC.LocalDescription().SDP
	trickle := "a=ice-ufrag:" + attribute(local, "ice-ufrag") + "\r\na=ice-pwd:" + attribute(local, "ice-pwd") +
		"\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 UDP 2122260223 127.0.0.1 50000 typ host\r\na=candidate:2 1 UDP 2122260222 abc.local 50001 typ host\r\n"
	match := func(tag string) http.Header { return http.Header{"If-Match": {tag}} }
	for _, c := range []struct {
		name string
		request
		status int
	}{
		{"without a token", request{contentType: fragment, body: trickle, header: match(etag)}, 401},
		{"with somebody else's token", request{jwt: other, contentType: fragment, body: trickle, header: match(etag)}, 403},
		{"with another content type", request{jwt: jwt, contentType: "application/sdp", body: trickle, header: match(etag)}, 415},
		{"without a condition", request{jwt: jwt, contentType: fragment, body: trickle}, 428},
		{"with a stale condition", request{jwt: jwt, contentType: fragment, body: trickle, header: match(`"stale"`)}, 412},
		{"with something that is no fragment", request{jwt: jwt, contentType: fragment, body: "a=ice-ufrag:!\r\n", header: match(etag)}, 400},
		{"with candidates", request{jwt: jwt, contentType: fragment, body: trickle, header: match(etag)}, 204},
		{"with candidates for any session", request{jwt: jwt, contentType: fragment, body: trickle, header: match("*")}, 204},
		{"with candidates for any session, in quotes", request{jwt: jwt, contentType: fragment, body: trickle, header: match(`"*"`)}, 204},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.method, c.path = "PATCH", session
			a := d.do(c.request)
			if a.StatusCode != c.status {
				t.Errorf("the status is %s, not %d: %s", a.Status, c.status, a.body)
			}
			if a.Header.Get("ETag") != "" || a.StatusCode == 204 && a.body != "" {
				t.Errorf("the answer has entity tag %q and body %q", a.Header.Get("ETag"), a.body)
			}
		})
	}
	wantProblem(t, d.do(request{method: "DELETE", path: session, jwt: other}), http.StatusForbidden, stage.CodeTokenNotAllowed)

	t.Run("to restart ICE", func(t *testing.T) {
		restart := "a=ice-ufrag:fresh\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 UDP 2122260223 127.0.0.1 50000 typ host\r\n"
		a := d.do(request{method: "PATCH", path: session, jwt: jwt, contentType: fragment, body: restart, header: match("*")})
		switch a.StatusCode {
		case http.StatusOK:
			if got := a.Header.Get("ETag"); got == "" || got == etag {
				t.Errorf("the entity tag went from %s to %s", etag, got)
			}
			if !strings.Contains(a.body, "a=ice-ufrag:") || a.Header.Get("Content-Type") != fragment {
				t.Errorf("the answer is %s %q", a.Header.Get("Content-Type"), a.body)
			}
		case http.StatusUnprocessableEntity:
			wantProblem(t, a, http.StatusUnprocessableEntity, "")
		default:
			t.Errorf("the status is %s: %s", a.Status, a.body)
		}
	})
}

func attribute(sdp, name string) string {
	_, rest, _ := strings.Cut(sdp, "a="+name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

func TestThe201NamesTheICEServers(t *testing.T) {
	t.Parallel()
	d := open(t, whip.Options{Servers: func(id string) []string { return []string{"<turn:a>; for=" + id, "<turn:b>"} }})
	jwt, id := d.issue(d.Stage())
	want := []string{"<turn:a>; for=" + id, "<turn:b>"}
	if a := d.post("/whip", jwt, livetest.Publisher(t).Offer()); a.StatusCode != http.StatusCreated || !slices.Equal(a.Header.Values("Link"), want) {
		t.Error(a.Status, a.Header.Values("Link"))
	}
	if a := d.do(request{method: "OPTIONS", path: "/whip", jwt: jwt}); !slices.Equal(a.Header.Values("Link"), want) {
		t.Error("OPTIONS:", a.Header.Values("Link"))
	}
	for name, a := range map[string]answer{
		"a preflight": d.do(request{method: "OPTIONS", path: "/whip", header: http.Header{"Access-Control-Request-Method": {"POST"}}}),
		"a refusal":   d.post("/whip", jwt, "nonsense"),
	} {
		if got := a.Header.Values("Link"); len(got) > 0 {
			t.Error(name, got)
		}
	}
}
