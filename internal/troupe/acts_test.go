package troupe_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/live/livetest"
	"callboard/internal/stage"
	"callboard/internal/token"
)

func TestAViewerOfOneProcessReceivesAPublisherOfAnother(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, arn := h.two()
	hostToken, host := a.token(arn)
	viewerToken, viewer := b.token(arn)
	publisher, _ := a.publish(hostToken)
	seat := b.attend(viewerToken)
	seat.awaitPeople(host+"+", viewer)
	receiver, _ := b.subscribe(viewerToken, host)
	b.await("packets", func() bool { return receiver.Packets() > 20 })
	a.awaitEvents(arn, viewer, "JOINED", "SUBSCRIBE_STARTED")
	if s := b.troupe.Stats(); s.Legs != 1 || a.floor.Stats().Visits != 1 {
		t.Errorf("the viewer's process counts %+v, the publisher's %+v", s, a.floor.Stats())
	}
	publisher.Close()
	livetest.Wait(t, "the end of the subscription", receiver.Down())
	b.awaitEvents(arn, host, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
	b.awaitEvents(arn, viewer, "JOINED", "SUBSCRIBE_STARTED", "SUBSCRIBE_STOPPED")
	seat.awaitPeople(viewer)
	b.await("no leg", func() bool { return b.troupe.Stats().Legs == 0 && a.floor.Stats().Visits == 0 })
}

func TestWhoeverReadsA201IsOnTheRollOfEveryProcess(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, arn := h.two()
	hostToken, host := a.token(arn)
	viewerToken, viewer := b.token(arn)
	a.publish(hostToken)
	a.awaitEvents(arn, host, "JOINED", "PUBLISH_STARTED")
	var resp *http.Response
	offer := livetest.Subscriber(t).Offer()
	b.await("the publication", func() bool {
		resp, _ = b.do(http.MethodPost, "/whip/subscribe/"+host, viewerToken, "application/sdp", offer)
		return resp.StatusCode != http.StatusConflict
	})
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status)
	}
	if got := a.events(arn, viewer); !slices.Equal(got, []string{"JOINED"}) {
		t.Errorf("events are %v", got)
	}
	again, _ := a.do(http.MethodPost, "/whip/", viewerToken, "application/sdp", livetest.Publisher(t).Offer()) // b answers it
	if again.StatusCode != http.StatusCreated || !strings.Contains(again.Header.Get("Location"), b.register.Process()) {
		t.Errorf("publishing through the other process: %s %s", again.Status, again.Header.Get("Location"))
	}
	for _, place := range []string{again.Header.Get("Location"), resp.Header.Get("Location")} {
		b.do(http.MethodDelete, place, viewerToken, "", "")
	}
	a.awaitEvents(arn, viewer, "JOINED", "LEFT")
}

func TestASubscriptionAcrossProcessesEndsWithItsParticipant(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, arn := h.two()
	hostToken, host := a.token(arn)
	viewerToken, viewer := b.token(arn)
	a.publish(hostToken)
	a.awaitEvents(arn, host, "JOINED", "PUBLISH_STARTED")
	receiver, resp := b.subscribe(viewerToken, host)
	b.await("packets", func() bool { return receiver.Packets() > 5 })

	// through the other process, whose media it is not
	place := resp.Header.Get("Location")
	if again, text := a.do(http.MethodPatch, place, viewerToken, "application/trickle-ice-sdpfrag", "a=end-of-candidates\r\n", "If-Match", resp.Header.Get("ETag")); again.StatusCode != http.StatusNoContent {
		t.Errorf("trickling: %s %s", again.Status, text)
	}
	if again, text := a.do(http.MethodPatch, place, viewerToken, "application/trickle-ice-sdpfrag", "a=ice-ufrag:abcdefgh\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n", "If-Match", "*"); again.StatusCode != http.StatusOK || again.Header.Get("ETag") == resp.Header.Get("ETag") {
		t.Errorf("restarting ICE: %s %s", again.Status, text)
	}
	const json = "application/json"
	if again, text := a.do(http.MethodPut, place+"/layer", viewerToken, json, `{"layer":"hi"}`); again.StatusCode != http.StatusConflict {
		t.Errorf("choosing a layer that does not exist: %s %s", again.Status, text)
	}
	if again, text := a.do(http.MethodPut, place+"/layer", viewerToken, json, `{"layer":"auto","video":false}`); again.StatusCode != http.StatusNoContent {
		t.Errorf("choosing: %s %s", again.Status, text)
	}
	if again, text := a.do(http.MethodGet, place+"/layer", viewerToken, "", ""); again.StatusCode != http.StatusOK || strings.TrimSpace(text) != `{"layers":[],"selected":"","auto":true,"video":false,"paused":false}` {
		t.Errorf("what there is to choose from: %s %s", again.Status, text)
	}
	if again, text := a.do(http.MethodDelete, place, viewerToken, "", ""); again.StatusCode != http.StatusOK {
		t.Errorf("deleting: %s %s", again.Status, text)
	}
	a.awaitEvents(arn, viewer, "JOINED", "SUBSCRIBE_STARTED", "SUBSCRIBE_STOPPED", "LEFT")
	a.await("no visit", func() bool { return a.floor.Stats().Visits == 0 })
	if again, _ := a.do(http.MethodDelete, place, viewerToken, "", ""); again.StatusCode != http.StatusNotFound {
		t.Errorf("deleting once more: %s", again.Status)
	}
}

func TestRequestsOfAParticipantGoToTheProcessThatHoldsIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, arn := h.two()
	jwt, id := a.token(arn)
	first := a.attend(jwt)
	seen := first.awaitPeople(id)
	p, _ := b.publish(jwt) // the load balancer sends it elsewhere
	first.awaitPeople(id + "+")
	if n := a.floor.Stats().Publications; n != 1 {
		t.Errorf("%d publications where the participant is", n)
	}
	second := b.attend(jwt) // a socket that continues the first one
	if err := second.conn.Write(t.Context(), 1, []byte(`{"type":"HELLO","payload":{"resume":"`+seen.Payload.Resume+`"}}`)); err != nil {
		t.Fatal(err)
	}
	if err := second.conn.Write(t.Context(), 1, []byte(`{"type":"SET_STATE","payload":{"audioMuted":true}}`)); err != nil {
		t.Fatal(err)
	}
	second.awaitPeople(id + "+-")
	first.await("its end", func(f state) bool { return f.Type == "LEFT" && f.Payload.Reason == "token-reused" })
	second.conn.CloseNow()
	p.Close()
	a.awaitEvents(arn, id, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
	if s := b.troupe.Stats(); s.Passed != 2 {
		t.Errorf("%d requests were passed on", s.Passed)
	}
	b.attend(jwt).awaitPeople(id) // it is nobody's any more, so it is at home where it comes
	if b.floor.Stats().Participants != 1 {
		t.Error("who has left is still brought to its former home")
	}
	a.awaitEvents(arn, id, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT", "JOINED")
}

func TestEverybodySeesEverybodyWhereverTheyAre(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b := h.open(), h.open()
	arn := a.stage()
	tokens, ids := make([]string, 3), make([]string, 3)
	for i := range tokens {
		tokens[i], ids[i] = a.token(arn)
	}
	first := a.attend(tokens[0])
	second := b.attend(tokens[1])
	first.awaitPeople(ids[0], ids[1])
	second.awaitPeople(ids[0], ids[1])
	c := h.open() // comes later, and learns of those who are there
	third := c.attend(tokens[2])
	third.awaitPeople(ids...)
	first.awaitPeople(ids...)
	if err := third.conn.Write(t.Context(), 1, []byte(`{"type":"SET_STATE","audioMuted":true}`)); err != nil {
		t.Fatal(err)
	}
	first.awaitPeople(ids[0], ids[1], ids[2]+"-")
	second.conn.CloseNow()
	first.awaitPeople(ids[0], ids[2]+"-")
	third.awaitPeople(ids[0], ids[2]+"-")
}

func TestDisconnectAndDeleteReachEverybodyFromAnyProcess(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, c := h.open(), h.open(), h.open()
	together(a, b, c)
	arn := a.stage()
	jwt, id := a.token(arn)
	otherJWT, other := a.token(arn)
	seat, stays := a.attend(jwt), b.attend(otherJWT)
	stays.awaitPeople(id, other)
	if err := c.service.Disconnect(t.Context(), c.caller, arn, id, "enough"); err != nil {
		t.Fatal(err)
	}
	if got := c.events(arn, id); !slices.Equal(got, []string{"JOINED", "LEFT"}) {
		t.Errorf("when DisconnectParticipant has returned events are %v", got)
	}
	seat.await("the reason", func(f state) bool { return f.Type == "LEFT" && f.Payload.Reason == "participant-disconnected" })
	stays.awaitPeople(other)
	if resp, text := b.do(http.MethodPost, "/whip/", jwt, "application/sdp", "v=0"); resp.StatusCode != http.StatusForbidden || !strings.Contains(text, stage.CodeParticipantDisconnected) {
		t.Errorf("coming back: %s %s", resp.Status, text)
	}
	if err := c.service.DeleteStage(t.Context(), c.caller, arn); err != nil {
		t.Fatal(err)
	}
	stays.await("the reason", func(f state) bool { return f.Type == "LEFT" && f.Payload.Reason == "stage-deleted" })
}

func TestATokenThatIsExchangedAtOneProcessIsKnownToAll(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, arn := h.two()
	hostToken, host := a.token(arn)
	viewerToken, viewer := b.token(arn)
	publisher, _ := a.publish(hostToken)
	a.awaitEvents(arn, host, "JOINED", "PUBLISH_STARTED")
	own := b.attend(hostToken) // a answers it: that is where the host is
	seat := b.attend(viewerToken)
	seat.awaitPeople(host+"+", viewer)
	receiver, _ := b.subscribe(viewerToken, host)

	key, err := token.NewKey()
	h.check(err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	h.check(err)
	imported, err := a.service.ImportPublicKey(t.Context(), a.caller, "", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil)
	h.check(err)
	first, err := token.Parse(hostToken, time.Now())
	h.check(err)
	claims := first.Claims()
	claims.UserID, claims.Publish = "erika", false
	next, err := token.Mint(key, imported.ARN.String(), claims)
	h.check(err)
	h.check(own.conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"EXCHANGE_TOKEN","payload":{"token":"`+next+`"}}`)))
	own.await("the answer", func(f state) bool { return f.Type == "TOKEN_EXCHANGED" })
	b.awaitEvents(arn, host, "JOINED", "PUBLISH_STARTED", "TOKEN_EXCHANGED", "PUBLISH_STOPPED")
	seat.await("the new name", func(f state) bool {
		return slices.ContainsFunc(f.Payload.Participants, func(p person) bool { return p.ID == host && p.UserID == "erika" && !p.IsPublishing })
	})
	livetest.Wait(t, "the publication's end", publisher.Down())
	receiver.Close()
}
