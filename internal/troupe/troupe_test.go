package troupe_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/presence"
	"callboard/internal/sfu"
	"callboard/internal/stage"
	"callboard/internal/store"
	"callboard/internal/troupe"
	"callboard/internal/whip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lease is short, so that the dead are found soon, and long enough for a machine
// that is busy with other tests.
const lease = 3 * time.Second

// house is the facts that several nodes share.
type house struct {
	t      *testing.T
	store  *store.Store
	caller stage.Caller
}

// node is one process.
type node struct {
	*house
	service  *stage.Service
	register *stage.Register
	floor    *live.Floor
	troupe   *troupe.Troupe
	server   *httptest.Server
	stalled  *stall
	kill     func() // ends it without a word to anybody

	breakLinks func() // to the others
}

// stall is a store that can be cut off.
type stall struct {
	stage.Store
	mu  sync.Mutex
	cut bool
}

func (s *stall) set(cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = cut
}

func (s *stall) Update(ctx context.Context, fn func(stage.Tx) error) error {
	for {
		s.mu.Lock()
		cut := s.cut
		s.mu.Unlock()
		if !cut {
			return s.Store.Update(ctx, fn)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	facts, err := store.Open(t.Context(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := facts.Close(); err != nil {
			t.Error(err)
		}
	})
	return &house{t: t, store: facts, caller: stage.Caller{Account: "123456789012", Region: "us-east-1"}}
}

func (h *house) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// two starts two processes, which know of each other, and makes a stage.
func (h *house) two() (a, b *node, arn stage.ARN) {
	h.t.Helper()
	a, b = h.open(), h.open()
	together(a, b)
	return a, b, a.stage()
}

// open starts a process.
func (h *house) open(change ...func(*live.Options, *troupe.Options)) *node {
	t := h.t
	t.Helper()
	n := &node{house: h, stalled: &stall{Store: h.store}}
	var err error
	n.service, n.register, err = stage.Open(t.Context(), stage.Options{
		Store: n.stalled, Linger: time.Hour, Lease: lease,
		Endpoints: stage.Endpoints{Events: "ws://127.0.0.1/events", WHIP: "http://127.0.0.1/whip"},
	})
	h.check(err)
	secret, err := n.service.Secret(t.Context(), "peers")
	h.check(err)
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	h.check(err)
	engine, err := sfu.Open(sfu.Options{Conn: conn})
	h.check(err)
	doors := http.NewServeMux()
	n.server = httptest.NewUnstartedServer(doors)
	url := "http://" + n.server.Listener.Addr().String() // told to the others before anybody is let in, as on a real start
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), nil)).With("node", url)
	}
	lo := live.Options{Register: n.register, Engine: engine, Log: log, Tick: 50 * time.Millisecond}
	to := troupe.Options{Register: n.register, Secret: secret, URL: url, Log: log, Lease: lease}
	for _, c := range change {
		c(&lo, &to)
	}
	n.troupe, err = troupe.New(t.Context(), to)
	h.check(err)
	n.breakLinks = n.troupe.BreakLinks()
	lo.Others = n.troupe
	n.floor = live.Open(lo)
	n.service.UseFloor(n.troupe)
	events := presence.New(presence.Options{Register: n.register, Floor: n.floor, Prefix: "/events", PassOn: n.troupe.PassOn, StateEvery: time.Millisecond, Log: log})
	doors.Handle("/whip/", whip.New(whip.Options{Register: n.register, Floor: n.floor, Prefix: "/whip", PassOn: n.troupe.PassOn, Log: log}))
	doors.Handle("/events/", events)
	doors.Handle("/peer/", n.troupe)
	n.troupe.Use(n.floor, doors)
	n.server.Start()

	onFloor, dismiss := context.WithCancel(context.Background())
	inTroupe, leave := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := n.floor.Run(onFloor); err != nil && !n.dead() {
			t.Error(err)
		}
	})
	running.Go(func() { n.troupe.Run(inTroupe) })
	end := func() {
		dismiss()
		leave()
		running.Wait()
		closing, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		events.Close(closing)
		n.server.CloseClientConnections()
		n.server.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}
	once := sync.OnceFunc(end)
	n.kill = func() {
		n.stalled.set(true) // whatever it does now, nobody hears of it
		n.server.CloseClientConnections()
		engine.Close()
	}
	t.Cleanup(func() {
		dismiss() // the floor's farewell needs the lease
		livetestAwait(t, "an empty floor", func() bool { return n.dead() || n.floor.Stats().Participants == 0 })
		n.stalled.set(false)
		once()
	})
	return n
}

func (n *node) dead() bool {
	n.stalled.mu.Lock()
	defer n.stalled.mu.Unlock()
	return n.stalled.cut
}

func livetestAwait(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(livetest.Patience)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
}

func (n *node) await(what string, is func() bool) {
	n.t.Helper()
	livetestAwait(n.t, what, is)
}

// together waits until all see each other.
func together(nodes ...*node) {
	for _, n := range nodes {
		n.t.Helper()
		n.await("the others", func() bool {
			s := n.troupe.Stats()
			return s.Processes == len(nodes) && s.Links == len(nodes)-1
		})
	}
}

func (n *node) stage() stage.ARN {
	n.t.Helper()
	s, _, err := n.service.CreateStage(n.t.Context(), n.caller, stage.NewStage{})
	n.check(err)
	return s.ARN
}

// token issues a token and gives the participant's id.
func (n *node) token(arn stage.ARN) (jwt, id string) {
	n.t.Helper()
	issued, err := n.service.CreateToken(n.t.Context(), n.caller, arn, stage.TokenRequest{UserID: "somebody"})
	n.check(err)
	return issued.JWT, issued.ParticipantID
}

// do sends one request of a participant.
func (n *node) do(method, path, jwt, contentType, body string, head ...string) (*http.Response, string) {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), method, n.server.URL+path, strings.NewReader(body))
	n.check(err)
	r.Header.Set("Authorization", "Bearer "+jwt)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	resp, err := n.server.Client().Do(r)
	n.check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	n.check(err)
	if got := resp.Header.Values("Access-Control-Allow-Origin"); !slices.Equal(got, []string{"*"}) {
		n.t.Errorf("%s %s: allowed origins are %q", method, path, got)
	}
	return resp, string(text)
}

// publish has a peer publish through this node and gives the address of the media session.
func (n *node) publish(jwt string) (*livetest.Peer, string) {
	n.t.Helper()
	p := livetest.Publisher(n.t)
	resp, answer := n.do(http.MethodPost, "/whip/", jwt, "application/sdp", p.Offer())
	if resp.StatusCode != http.StatusCreated {
		n.t.Fatalf("publishing: %s %s", resp.Status, answer)
	}
	p.Connect(answer)
	p.Play()
	return p, resp.Header.Get("Location")
}

// subscribe has a peer receive a publisher through this node.
func (n *node) subscribe(jwt, publisher string) (*livetest.Peer, *http.Response) {
	n.t.Helper()
	p := livetest.Subscriber(n.t)
	resp, answer := n.do(http.MethodPost, "/whip/subscribe/"+publisher, jwt, "application/sdp", p.Offer())
	if resp.StatusCode != http.StatusCreated {
		n.t.Fatalf("subscribing: %s %s", resp.Status, answer)
	}
	p.Connect(answer)
	return p, resp
}

// events are the names of a participant's events, oldest first.
func (n *node) events(arn stage.ARN, id string) []string {
	n.t.Helper()
	sessions, _, err := n.service.Sessions(n.t.Context(), n.caller, arn, stage.Page{Limit: 1})
	n.check(err)
	if len(sessions) == 0 {
		return nil
	}
	list, _, err := n.service.Events(n.t.Context(), n.caller, arn, sessions[0].ID, id, stage.Page{Limit: 1000})
	n.check(err)
	var names []string
	for _, e := range slices.Backward(list) {
		names = append(names, string(e.Name))
	}
	return names
}

func (n *node) awaitEvents(arn stage.ARN, id string, want ...string) {
	n.t.Helper()
	deadline := time.Now().Add(livetest.Patience)
	for got := n.events(arn, id); !slices.Equal(got, want); got = n.events(arn, id) {
		if time.Now().After(deadline) {
			n.t.Fatalf("events of %s are %v, want %v", id, got, want)
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
}

// socket is a presence socket.
type socket struct {
	*node
	conn   *websocket.Conn
	frames chan []byte // closed at the end
}

type state struct {
	Type    string `json:"type"`
	Payload struct {
		Reason       string   `json:"reason"`
		Resume       string   `json:"resume"`
		Version      int64    `json:"version"`
		Participants []person `json:"participants"`
	} `json:"payload"`
}

type person struct {
	ID           string `json:"id"`
	UserID       string `json:"userId"`
	IsPublishing bool   `json:"isPublishing"`
	AudioMuted   bool   `json:"audioMuted"`
	IsLocal      bool   `json:"isLocal"`
}

// sees gives "id", "id+" for who publishes and "id-" for who is muted, in order.
func (s state) sees() []string {
	var list []string
	for _, p := range s.Payload.Participants {
		text := p.ID
		if p.IsPublishing {
			text += "+"
		}
		if p.AudioMuted {
			text += "-"
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

func (n *node) attend(jwt string) *socket {
	n.t.Helper()
	conn, _, err := websocket.Dial(n.t.Context(), n.server.URL+"/events/", &websocket.DialOptions{
		Subprotocols: []string{"callboard.events.v1", jwt}, HTTPClient: n.server.Client(),
	})
	n.check(err)
	s := &socket{n, conn, make(chan []byte, 4096)}
	var reader sync.WaitGroup
	reader.Go(func() { // whether or not somebody waits, or pings would not be answered
		defer close(s.frames)
		for {
			_, data, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			s.frames <- data
		}
	})
	n.t.Cleanup(func() {
		conn.CloseNow()
		reader.Wait()
	})
	return s
}

// await reads until a frame is what is wanted.
func (s *socket) await(what string, wanted func(state) bool) state {
	s.t.Helper()
	late := time.After(livetest.Patience)
	var last state
	for {
		var data []byte
		open := false
		select {
		case data, open = <-s.frames:
		case <-late:
		}
		if !open {
			s.t.Fatalf("waited in vain for %s; the last state was %v", what, last.sees())
		}
		var f state
		s.check(json.Unmarshal(data, &f))
		if last = f; wanted(f) {
			return f
		}
	}
}

// awaitEnd reads until the socket is closed, which LEFT must not announce: the client is to come back.
func (s *socket) awaitEnd() {
	s.t.Helper()
	for late := time.After(livetest.Patience); ; {
		select {
		case data, open := <-s.frames:
			if !open {
				return
			}
			if strings.Contains(string(data), `"LEFT"`) {
				s.t.Errorf("the client is sent away: %s", data)
			}
		case <-late:
			s.t.Fatal("waited in vain for the end")
		}
	}
}

func (s *socket) awaitPeople(want ...string) state {
	s.t.Helper()
	want = slices.Sorted(slices.Values(want))
	return s.await(strings.Join(want, ", "), func(f state) bool { return f.Type == "STAGE_STATE" && slices.Equal(f.sees(), want) })
}

func settings(m map[string]string) func(*live.Options, *troupe.Options) {
	return func(_ *live.Options, o *troupe.Options) { o.Settings = m }
}
