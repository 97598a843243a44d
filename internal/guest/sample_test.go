package guest_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"callboard/internal/guest"
	"callboard/internal/server/servertest"
)

// The forms that AWS's open-source Python samples for stages use
// (aws-samples/sample-amazon-ivs-aiortc-demos), where they are not a guest's: offers
// to send and receive, answers whose lines end and whose candidates stand elsewhere,
// redirects that are followed by hand, sound alone, no DELETE at the end.

// sample is a participant as the samples make it.
type sample struct {
	token string
	ID    string `json:"jti"`
	WHIP  string `json:"whip_url"`
	Event string `json:"events_url"`
	Topic string `json:"topic"`
	peer  *webrtc.PeerConnection
	heard chan string // kinds of tracks that packets have come of
}

// enrolled reads the token without looking at its signature.
func enrolled(ctx context.Context, t *testing.T, server *servertest.Server, arn, userID string) *sample {
	t.Helper()
	token, _, err := server.CreateToken(ctx, arn, userID)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	s := &sample{token: token, heard: make(chan string, 10)}
	if err := json.Unmarshal(payload, s); err != nil {
		t.Fatal(err)
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetInterfaceFilter(func(name string) bool { return strings.HasPrefix(name, "lo") })
	s.peer, err = webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.peer.GracefulClose() })
	s.peer.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if _, _, err := track.ReadRTP(); err == nil {
			s.heard <- track.Kind().String()
		}
	})
	return s
}

// watches opens the presence socket with the token as subprotocol, says PING, and passes on what it is told.
func (s *sample) watches(ctx context.Context, t *testing.T) <-chan guest.State {
	t.Helper()
	socket, _, err := websocket.Dial(ctx, s.Event+"/"+s.Topic, &websocket.DialOptions{Subprotocols: []string{s.token}})
	if err != nil {
		t.Fatal(err)
	}
	if got := socket.Subprotocol(); got != s.token {
		t.Errorf("the subprotocol is %q", got)
	}
	if err := wsjson.Write(ctx, socket, map[string]string{"type": "PING"}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	states, ponged := make(chan guest.State), false
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			var frame struct {
				Type    string
				Payload guest.State
			}
			if wsjson.Read(ctx, socket, &frame) != nil {
				return
			}
			switch frame.Type {
			case "PONG":
				ponged = true
			case "STAGE_STATE":
				select {
				case states <- frame.Payload:
				case <-ctx.Done():
				}
			}
		}
	})
	t.Cleanup(func() {
		socket.CloseNow()
		stop()
		reading.Wait()
		if !ponged {
			t.Error("PING was not answered")
		}
	})
	return states
}

// speaks publishes sound and a picture in sections that would receive, too.
func (s *sample) speaks(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	var tracks []*webrtc.TrackLocalStaticSample
	for _, mime := range []string{webrtc.MimeTypeOpus, webrtc.MimeTypeH264} {
		kind, _, _ := strings.Cut(mime, "/")
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, kind, s.ID)
		if err == nil {
			_, err = s.peer.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv})
		}
		if err != nil {
			t.Fatal(err)
		}
		tracks = append(tracks, track)
	}
	s.offers(ctx, t, url)
	var speaking sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	t.Cleanup(func() { stop(); speaking.Wait() })
	speaking.Go(func() {
		const pace = 20 * time.Millisecond
		for tick := time.NewTicker(pace); ctx.Err() == nil; <-tick.C {
			tracks[0].WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: pace}) // silence
		}
	})
}

// offers posts an offer with all candidates and follows redirects by hand, five at most, with all headers.
func (s *sample) offers(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	offer, err := s.peer.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(s.peer)
	if err := s.peer.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	byHand := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer byHand.CloseIdleConnections()
	for range 5 {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(s.peer.LocalDescription().SDP))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Bearer " + s.token}, "Content-Type": {"application/sdp"}}
		resp, err := byHand.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			t.Fatal(err)
		case resp.StatusCode == http.StatusCreated:
			s.accepts(t, string(body))
			return
		case resp.StatusCode < 300 || resp.StatusCode >= 400:
			t.Fatalf("%s: %s", resp.Status, body)
		}
		url = resp.Header.Get("Location")
	}
	t.Fatal("too many redirects")
}

// accepts takes the answer with bare line feeds and with the candidates of its first section in the second as well.
func (s *sample) accepts(t *testing.T, answer string) {
	t.Helper()
	var candidates, lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(answer), "\n") {
		lines = append(lines, strings.TrimSuffix(line, "\r"))
		if strings.HasPrefix(line, "a=candidate:") {
			candidates = append(candidates, strings.TrimSuffix(line, "\r"))
		}
	}
	if len(candidates) == 0 {
		t.Error("there are no candidates in the answer")
	}
	if strings.Count(answer, "\nm=") > 1 {
		lines = append(append(lines, candidates...), "a=end-of-candidates")
	}
	sdp := strings.Join(lines, "\n") + "\n"
	if err := s.peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		t.Fatal(err)
	}
}

func TestTheFormsOfTheSamplesAreUnderstood(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	server := servertest.Start(t, nil)
	arn, err := server.CreateStage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	publisher, listener := enrolled(ctx, t, server, arn, "publisher"), enrolled(ctx, t, server, arn, "listener")
	states := publisher.watches(ctx, t)

	// The global endpoint sends everybody elsewhere.
	global := httptest.NewServer(http.RedirectHandler(publisher.WHIP, http.StatusTemporaryRedirect))
	t.Cleanup(global.Close)
	publisher.speaks(ctx, t, global.URL)

	for published := false; !published; {
		select {
		case state := <-states:
			p, _ := state.Person(publisher.ID)
			published = p.IsPublishing && p.UserID == "publisher"
		case <-ctx.Done():
			t.Fatal("nobody is told that it publishes")
		}
	}
	if _, err := listener.peer.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	listener.offers(ctx, t, listener.WHIP+"/subscribe/"+publisher.ID)
	select {
	case kind := <-listener.heard:
		if kind != "audio" {
			t.Errorf("heard was %s", kind)
		}
	case <-ctx.Done():
		t.Fatal("nothing is heard")
	}

	publisher.peer.GracefulClose() // all there is of a goodbye
	for gone := false; !gone; {
		select {
		case state := <-states:
			p, _ := state.Person(publisher.ID)
			gone = !p.IsPublishing
		case <-ctx.Done():
			t.Fatal("it publishes for ever")
		}
	}
}
