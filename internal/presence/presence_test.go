package presence_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/presence"
	"callboard/internal/stage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door is a world with an endpoint in front.
type door struct {
	*livetest.World
	t        *testing.T
	server   *httptest.Server
	endpoint *presence.Endpoint
}

func open(t *testing.T, s livetest.Setting, o presence.Options) *door {
	t.Helper()
	d := &door{World: livetest.Open(t, s), t: t}
	o.Register, o.Floor, o.Prefix = d.Register, d.Floor, "/events"
	d.endpoint = presence.New(o)
	d.server = httptest.NewServer(d.endpoint)
	t.Cleanup(func() {
		d.Stop()
		if err := d.endpoint.Close(d.Context()); err != nil {
			t.Error(err)
		}
		d.server.Client().CloseIdleConnections()
		d.server.Close()
	})
	return d
}

// seat is a client's end of a socket.
type seat struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
}

type frame struct {
	Type    string
	ID      json.RawMessage
	Payload struct {
		SequenceNumber, Version int64
		StageID, SessionID      string
		Resume                  string
		Participants            []participant
		Truncated               bool
		Reason                  string
		Code, Category, Message string
		RequestID, TraceID      string
		Error                   struct{ Code, Message string }
	}
}

type participant struct {
	ID, UserID                                      string
	Attributes                                      map[string]string
	IsLocal, IsPublishing, AudioMuted, VideoStopped bool
	Capabilities                                    []string
	JoinedAt                                        time.Time
	PublishEpoch                                    int64
}

func (f frame) person(id string) (participant, bool) {
	for _, p := range f.Payload.Participants {
		if p.ID == id {
			return p, true
		}
	}
	return participant{}, false
}

func (d *door) dial(path string, o websocket.DialOptions) (*seat, *http.Response, error) {
	d.t.Helper()
	o.HTTPClient = d.server.Client()
	ctx := d.Context()
	conn, resp, err := websocket.Dial(ctx, d.server.URL+path, &o)
	if err != nil {
		return nil, resp, err
	}
	conn.SetReadLimit(1 << 20)
	d.t.Cleanup(func() { conn.CloseNow() })
	return &seat{d.t, ctx, conn}, resp, nil
}

// attend opens a socket as the samples of AWS do.
func (d *door) attend(arn stage.ARN, jwt string) *seat {
	d.t.Helper()
	s, resp, err := d.dial("/events/"+arn.ID, websocket.DialOptions{Subprotocols: []string{jwt}})
	if err != nil {
		d.t.Fatal(err)
	}
	if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != jwt {
		d.t.Errorf("the chosen subprotocol is %q", got)
	}
	return s
}

func (d *door) issue(arn stage.ARN) (jwt, id string) {
	d.t.Helper()
	jwt = d.Token(arn)
	a, err := d.Register.Admit(d.Context(), jwt)
	if err != nil {
		d.t.Fatal(err)
	}
	return jwt, a.ParticipantID
}

func (s *seat) send(text string) {
	s.t.Helper()
	if err := s.conn.Write(s.ctx, websocket.MessageText, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *seat) next() (frame, error) {
	var f frame
	_, data, err := s.conn.Read(s.ctx)
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	return f, err
}

// await reads frames until one is as wanted.
func (s *seat) await(what string, wanted func(frame) bool) frame {
	s.t.Helper()
	for {
		f, err := s.next()
		if err != nil {
			s.t.Fatalf("waiting for %s: %v", what, err)
		}
		if wanted(f) {
			return f
		}
	}
}

func kind(k string) func(frame) bool { return func(f frame) bool { return f.Type == k } }

// end reads frames until the socket closes, and gives the last one and the close code.
func (s *seat) end() (last frame, code websocket.StatusCode) {
	s.t.Helper()
	for {
		f, err := s.next()
		if c, ok := errors.AsType[websocket.CloseError](err); ok {
			return last, c.Code
		}
		if err != nil {
			s.t.Fatalf("the socket ended without a close frame: %v", err)
		}
		last = f
	}
}

func TestStateComesFirstAndWhole(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	s := d.attend(arn, jwt)
	_, data, err := s.conn.Read(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	wantNames(t, data)
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	p := f.Payload
	if f.Type != "STAGE_STATE" || p.SequenceNumber == 0 || p.Version != p.SequenceNumber || p.StageID != arn.ID ||
		!strings.HasPrefix(p.SessionID, "st-") || p.Resume == "" || p.Truncated || len(p.Participants) != 1 {
		t.Errorf("the first frame is %+v", f)
	}
	me := p.Participants[0]
	if me.ID != id || !me.IsLocal || me.UserID != "somebody" || me.Attributes == nil || me.IsPublishing || len(me.Capabilities) != 2 || me.JoinedAt.IsZero() {
		t.Errorf("the local participant is %+v", me)
	}
	d.WantEvents(arn, id, "JOINED")
	s.conn.CloseNow() // as IVS clients do
	d.AwaitEvents(arn, id, "JOINED", "LEFT")
}

// wantNames checks the names of a STAGE_STATE as clients look for them, letter case included.
func wantNames(t *testing.T, data []byte) {
	t.Helper()
	var f struct {
		Payload map[string]json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	var people []map[string]any
	if err := json.Unmarshal(f.Payload["participants"], &people); err != nil || len(people) == 0 {
		t.Fatalf("no participants in %s", data)
	}
	for _, name := range []string{"sequenceNumber", "version", "stageId", "sessionId", "resume", "participants"} {
		if _, ok := f.Payload[name]; !ok {
			t.Errorf("the payload has no %s", name)
		}
	}
	for _, name := range []string{"id", "userId", "attributes", "isLocal", "isPublishing", "audioMuted", "videoStopped", "capabilities", "joinedAt", "publishEpoch"} {
		if _, ok := people[0][name]; !ok {
			t.Errorf("a participant has no %s", name)
		}
	}
}

func TestTwoSocketsSeeEachOther(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{StateEvery: time.Millisecond})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	otherJWT, otherID := d.issue(arn)
	watching, acting := d.attend(arn, otherJWT), d.attend(arn, jwt)
	first := watching.await("the other", func(f frame) bool {
		p, ok := f.person(id)
		me, _ := f.person(otherID)
		return ok && !p.IsLocal && me.IsLocal
	})

	a, err := d.Register.Admit(d.Context(), jwt)
	if err != nil {
		t.Fatal(err)
	}
	peer := livetest.Publisher(t)
	m, answer, err := d.Floor.Publish(d.Context(), a, stage.Client{}, peer.Offer())
	if err != nil {
		t.Fatal(err)
	}
	peer.Connect(answer)
	peer.Play()
	is := func(wanted func(participant) bool) func(frame) bool {
		return func(f frame) bool { p, ok := f.person(id); return ok && wanted(p) }
	}
	watching.await("the publication", is(func(p participant) bool { return p.IsPublishing && p.PublishEpoch == 1 }))
	acting.send(`{"type":"SET_STATE","version":"0","audioMuted":true,"videoStopped":false}`)
	watching.await("the mute", is(func(p participant) bool { return p.AudioMuted && !p.VideoStopped }))
	acting.send(`{"type":"MUTE","payload":{"videoStopped":true}}`)
	watching.await("the video's stop", is(func(p participant) bool { return p.AudioMuted && p.VideoStopped }))
	if err := m.Close(d.Context()); err != nil {
		t.Fatal(err)
	}
	watching.await("the end of the publication", is(func(p participant) bool { return !p.IsPublishing }))
	acting.send(`{"type":"LEAVE"}`)
	if last, code := acting.end(); code != websocket.StatusNormalClosure || last.Type != "LEFT" || last.Payload.Reason != "user-initiated" {
		t.Errorf("the goodbye is %+v and %d", last, code)
	}
	last := watching.await("the leaving", func(f frame) bool { _, ok := f.person(id); return !ok })
	if last.Payload.SequenceNumber <= first.Payload.SequenceNumber {
		t.Error("the sequence numbers do not grow")
	}
	d.AwaitEvents(arn, id, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
}

func TestViewersOfACrowdedStageSeeThemselvesAndWhoPublishes(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{Live: live.Options{ListViewersUpTo: 1}}, presence.Options{StateEvery: time.Millisecond})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	viewer, viewerID := d.issue(arn)
	other, _ := d.issue(arn)
	s := d.attend(arn, viewer)
	d.attend(arn, other)
	s.await("itself alone", func(f frame) bool {
		me, ok := f.person(viewerID)
		return f.Payload.Truncated && len(f.Payload.Participants) == 1 && ok && me.IsLocal
	})
	a, err := d.Register.Admit(d.Context(), jwt)
	if err != nil {
		t.Fatal(err)
	}
	peer := livetest.Publisher(t)
	_, answer, err := d.Floor.Publish(d.Context(), a, stage.Client{}, peer.Offer())
	if err != nil {
		t.Fatal(err)
	}
	peer.Connect(answer)
	peer.Play()
	s.await("the publisher too", func(f frame) bool {
		host, ok := f.person(id)
		_, self := f.person(viewerID)
		return f.Payload.Truncated && len(f.Payload.Participants) == 2 && ok && host.IsPublishing && !host.IsLocal && self
	})
}

func TestClientsAreToldWhyTheyHaveToGo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(d *door, arn stage.ARN, id, jwt string)
		reason string
		code   websocket.StatusCode
	}{
		"a second socket": {func(d *door, arn stage.ARN, _, jwt string) { d.attend(arn, jwt) }, "token-reused", 4001},
		"a deleted stage": {func(d *door, arn stage.ARN, _, _ string) {
			if err := d.Service.DeleteStage(d.Context(), d.Caller, arn); err != nil {
				d.t.Error(err)
			}
		}, "stage-deleted", 4002},
		"a disconnect": {func(d *door, arn stage.ARN, id, _ string) {
			if err := d.Service.Disconnect(d.Context(), d.Caller, arn, id, "bye"); err != nil {
				d.t.Error(err)
			}
		}, "participant-disconnected", 4003},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, livetest.Setting{}, presence.Options{})
			arn := d.Stage()
			jwt, id := d.issue(arn)
			s := d.attend(arn, jwt)
			s.await("the state", kind("STAGE_STATE"))
			c.end(d, arn, id, jwt)
			last, code := s.end()
			if last.Type != "LEFT" || last.Payload.Reason != c.reason || code != c.code {
				t.Errorf("the goodbye is %+v and %d", last, code)
			}
		})
	}
}

func TestAServerThatStopsTellsNobodyThatTheyLeft(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	s := d.attend(arn, jwt)
	s.await("the state", kind("STAGE_STATE"))
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	last, code := s.end()
	if last.Type != "" || code != websocket.StatusGoingAway {
		t.Errorf("the goodbye is %+v and %d", last, code)
	}
	d.WantEvents(arn, id, "JOINED", "LEFT")
	_, resp, err := d.dial("/events/", websocket.DialOptions{Subprotocols: []string{jwt}})
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("who comes meanwhile is told %v, %v", resp, err)
	}
}

func TestReconnectWithTheResumeValueKeepsTheMedia(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{Live: live.Options{ResumeWindow: time.Second}}, presence.Options{})
	arn := d.Stage()
	jwt, _ := d.issue(arn)
	otherJWT, _ := d.issue(arn)
	publish := func(jwt string) *livetest.Peer {
		a, err := d.Register.Admit(d.Context(), jwt)
		if err != nil {
			t.Fatal(err)
		}
		p := livetest.Publisher(t)
		_, answer, err := d.Floor.Publish(d.Context(), a, stage.Client{}, p.Offer())
		if err != nil {
			t.Fatal(err)
		}
		p.Connect(answer)
		return p
	}
	first := d.attend(arn, jwt)
	resume := first.await("the state", kind("STAGE_STATE")).Payload.Resume
	kept := publish(jwt)
	d.attend(arn, otherJWT)
	ended := publish(otherJWT)

	second := d.attend(arn, jwt)
	second.send(`{"type":"HELLO","payload":{"resume":"` + resume + `"}}`)
	d.attend(arn, otherJWT) // says nothing: when its media has ended, the first one's time is over too
	livetest.Wait(t, "the end of media that was not resumed", ended.Down())
	select {
	case <-kept.Down():
		t.Error("the media ended in spite of the resume value")
	default:
	}
}

func TestHelloFillsInTheClient(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	s, _, err := d.dial("/events/", websocket.DialOptions{Subprotocols: []string{jwt}, HTTPHeader: http.Header{
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.await("the state", kind("STAGE_STATE"))
	if got := d.Client(arn, id); got.BrowserName != "Firefox" || got.OSName != "Linux" {
		t.Errorf("the client is %+v", got)
	}
	s.send(`{"type":"HELLO","payload":{"sdkVersion":"7","osName":"Plan 9"}}`)
	d.Await("the client", func() bool {
		got := d.Client(arn, id)
		return got.SDKVersion == "7" && got.OSName == "Plan 9" && got.BrowserName == "Firefox"
	}, func() any { return d.Client(arn, id) })
}

func TestStateIsCoalesced(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{StateEvery: 200 * time.Millisecond})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	s := d.attend(arn, jwt)
	s.await("the state", kind("STAGE_STATE"))
	a, err := d.Register.Admit(d.Context(), jwt)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 15 {
		text := `{"type":"SET_STATE","audioMuted":true}`
		if i%2 == 1 {
			text = `{"type":"SET_STATE","audioMuted":false}`
		}
		s.send(text)
	}
	frames := 0
	s.await("the last state", func(f frame) bool {
		frames++
		p, _ := f.person(id)
		return p.ID == a.ParticipantID && p.AudioMuted
	})
	if frames > 3 {
		t.Errorf("%d frames for 15 changes", frames)
	}
}

func TestSocketsThatDoNotEndAreCutOff(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, _ := d.issue(arn)
	s := d.attend(arn, jwt)
	s.await("the state", kind("STAGE_STATE"))
	ctx, cancel := context.WithCancel(d.Context())
	cancel()
	if err := d.endpoint.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("closing gave %v", err)
	}
	if _, err := s.next(); err == nil {
		t.Error("the socket is still open")
	}
	_, resp, err := d.dial("/events/", websocket.DialOptions{Subprotocols: []string{jwt}})
	if err == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the answer is %v, %v", resp, err)
	}
}
