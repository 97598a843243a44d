package live_test

import (
	"slices"
	"testing"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/sfu"
	"callboard/internal/stage"
	"callboard/internal/token"
)

func TestOthersSeeWhoSomebodyIsByAnotherToken(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	watching := h.attend(h.Admit(arn))
	jwt := h.Token(arn)
	a := h.AdmitAgain(jwt)
	seat := h.attend(a)
	next := h.AdmitAgain(h.Another(jwt, func(c *token.Claims) { c.UserID, c.Attributes = "erika", map[string]string{"role": "host"} }))
	if err := seat.Exchange(h.Context(), next); err != nil {
		t.Fatal(err)
	}
	h.want(a, "JOINED", "TOKEN_EXCHANGED")
	awaitState(t, watching, "the other name", func(s live.State) bool {
		p, ok := person(s, a.ParticipantID)
		return ok && p.UserID == "erika" && p.Attributes["role"] == "host" && p.MayPublish
	})
	for range 2000 { // the next may come as soon as the answer to one is there
		if err := seat.Exchange(h.Context(), next); err != nil {
			t.Fatalf("the same token once more: %v", err)
		}
	}
	h.want(a, "JOINED", "TOKEN_EXCHANGED")
	if err := seat.Exchange(h.Context(), h.AdmitAgain(jwt)); err != nil {
		t.Errorf("back to the first token: %v", err)
	}
	h.want(a, "JOINED", "TOKEN_EXCHANGED", "TOKEN_EXCHANGED")
}

func TestWhatTheNewTokenDoesNotAllowEndsAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	host := h.Admit(arn)
	h.publish(host)
	jwt := h.Token(arn)
	a := h.AdmitAgain(jwt)
	seat := h.attend(a)
	_, sending := h.publish(a)
	_, receiving := h.subscribe(a, host.ParticipantID)
	told := []string{"JOINED", "PUBLISH_STARTED", "SUBSCRIBE_STARTED " + host.ParticipantID}
	exchange := func(publish, subscribe bool) {
		t.Helper()
		err := seat.Exchange(h.Context(), h.AdmitAgain(h.Another(jwt, func(c *token.Claims) { c.Publish, c.Subscribe = publish, subscribe })))
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, "TOKEN_EXCHANGED")
	}
	exchange(false, true)
	told = append(told, "PUBLISH_STOPPED")
	h.want(a, told...)
	livetest.Wait(t, "the publication's end", sending.Down())
	exchange(false, false)
	told = append(told, "SUBSCRIBE_STOPPED "+host.ParticipantID)
	h.want(a, told...)
	livetest.Wait(t, "the subscription's end", receiving.Down())

	_, _, err := h.Floor.Subscribe(h.Context(), a, stage.Client{}, host.ParticipantID, livetest.Subscriber(t).Offer(), sfu.SubscribeOptions{})
	wantKind(t, err, stage.Denied, stage.CodeTokenNotAllowed) // whatever the first token said
	told = append(told, "SUBSCRIBE_ERROR "+host.ParticipantID+" INSUFFICIENT_CAPABILITIES")
	exchange(true, false)
	h.publish(a)
	h.want(a, append(told, "PUBLISH_STARTED")...)
	seat.Leave()
	h.await(a, append(told, "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")...)
	h.publish(a) // who comes back comes with what it shows
}

func TestATokenThatMayNotFollowChangesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	seat := h.attend(a)
	wantKind(t, seat.Exchange(h.Context(), h.Admit(a.Stage)), stage.Denied, stage.CodeTokenNotAllowed)
	h.want(a, "JOINED")
	seat.Reject()
	livetest.Wait(t, "the socket's end", seat.Done())
	if reason, _ := seat.Reason(); reason != stage.ReasonFailedExchange {
		t.Errorf("the reason is %q", reason)
	}
	h.await(a, "JOINED", "LEFT")
	wantKind(t, seat.Exchange(h.Context(), a), stage.Conflict, "")
}

func TestAnExchangeWhoseAnswerWasLostHoldsAndIsTold(t *testing.T) {
	t.Parallel()
	disk := flaky{stores: true}
	h := openOn(t, &disk)
	jwt := h.Token(h.Stage())
	a := h.AdmitAgain(jwt)
	seat := h.attend(a)
	for i, name := range []string{"erika", "max"} {
		next := h.AdmitAgain(h.Another(jwt, func(c *token.Claims) { c.UserID = name }))
		disk.fail(i + 2)
		if err := seat.Exchange(h.Context(), next); err != nil {
			t.Fatal(err)
		}
		if got := seat.State().Local.UserID; got != name {
			t.Errorf("%s is shown as %s", name, got)
		}
	}
	h.want(a, "JOINED", "TOKEN_EXCHANGED", "TOKEN_EXCHANGED")
	disk.mu.Lock()
	disk.stores = false
	disk.mu.Unlock()
	disk.fail(2)
	if err := seat.Exchange(h.Context(), a); err != nil {
		t.Fatal(err)
	}
	h.want(a, "JOINED", "TOKEN_EXCHANGED", "TOKEN_EXCHANGED", "TOKEN_EXCHANGED")
}

func TestWhoExchangesTooOftenIsRefusedAndStays(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	jwt := h.Token(h.Stage())
	a := h.AdmitAgain(jwt)
	seat := h.attend(a)
	tokens := []stage.Admission{h.AdmitAgain(h.Another(jwt, func(c *token.Claims) { c.UserID = "erika" })), a}
	var refused error
	exchanged := 0
	for ; refused == nil && exchanged < 1000; exchanged++ { // it comes back slower than it is spent
		refused = seat.Exchange(h.Context(), tokens[exchanged%2])
	}
	wantKind(t, refused, stage.Quota, stage.CodeStageAtCapacity)
	told := slices.Repeat([]string{"TOKEN_EXCHANGED"}, exchanged-1)
	if len(told) < 10 {
		t.Errorf("refused after %d", len(told))
	}
	h.want(a, append([]string{"JOINED"}, told...)...)
	if reason, _ := seat.Reason(); reason != "" {
		t.Errorf("it has to go: %s", reason)
	}
}
