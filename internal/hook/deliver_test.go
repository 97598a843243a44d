package hook

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callboard/internal/stage"
)

func TestEveryEventIsDeliveredOnceInOrderAndSigned(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := &receiver{}
		c, _ := w.courier(Options{Transport: r})
		_, secret := w.hook(c, NewHook{})
		arn := w.stage()
		e := w.join(arn)
		w.record(e, stage.Fact{Name: stage.PublishStarted}, stage.Fact{Name: stage.PublishError, Error: stage.BitrateExceeded},
			stage.Fact{Name: stage.SubscribeStarted, Remote: "q"}, stage.Fact{Name: stage.PublishStopped}, stage.Fact{Name: stage.Left})
		time.Sleep(2 * time.Minute)
		w.check(w.Sweep(t.Context()))
		time.Sleep(time.Minute)
		equal(t, "what was told", names(r.delivered()), []string{"Session Started", "Participant Joined p001", "Participant Published p001",
			"Participant Publish Error p001", "Participant Subscribed p001", "Participant Unpublished p001", "Participant Left p001", "Session Ended"})
		equal(t, "ids", ids(r.attempts()), w.feed(c, 0))
		for _, g := range r.attempts() {
			if err := verify(secret, g.header, g.body, g.at); err != nil || g.header.Get("Webhook-Id") != g.ID {
				t.Errorf("%s: %v", g, err)
			}
			if verify(NewSecret(), g.header, g.body, g.at) == nil {
				t.Error("another secret verifies as well")
			}
		}
	})
}

func TestAReceiverThatFailsNowAndThenGetsEverythingInTheOrderOfEachStage(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		dice := rand.New(rand.NewPCG(1, 2))
		r := &receiver{answer: func(got) (int, http.Header) {
			mu.Lock()
			defer mu.Unlock()
			return []int{200, 204, 500, 0, 404, 429, 201, 200}[dice.IntN(8)], http.Header{}
		}}
		c, _ := w.courier(Options{Transport: r})
		w.hook(c, NewHook{})
		var stages []stage.ARN
		for range 5 {
			stages = append(stages, w.stage())
		}
		for i := range 200 {
			e := w.join(stages[dice.IntN(5)])
			if i%3 == 0 {
				w.record(e, stage.Fact{Name: stage.Left})
			}
			if i%50 == 0 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(4 * time.Hour)
		for _, arn := range stages {
			equal(t, "events of "+arn.ID, names(r.delivered(arn)), names(unique(r.delivered(arn))))
			equal(t, "ids of "+arn.ID, ids(r.delivered(arn)), w.feed(c, 0, arn))
		}
	})
}

// unique leaves out what is there a second time.
func unique(list []got) (once []got) {
	seen := map[string]bool{}
	for _, g := range list {
		if !seen[g.ID] {
			seen[g.ID] = true
			once = append(once, g)
		}
	}
	return once
}

func TestAReceiverThatIsDownForAnHourLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		up := time.Now().Add(time.Hour)
		r := &receiver{answer: func(got) (int, http.Header) {
			if time.Now().Before(up) {
				return 0, nil
			}
			return 200, nil
		}}
		c, _ := w.courier(Options{Transport: r})
		h, _ := w.hook(c, NewHook{})
		var stages []stage.ARN
		for range 100 { // more than may be behind
			stages = append(stages, w.stage())
		}
		for i := range 1000 {
			w.join(stages[i%len(stages)])
			time.Sleep(2 * time.Second)
		}
		s := c.Stats()[h.ARN.String()]
		if s.Lag < 1000 || s.LagTime < 30*time.Minute || s.Delivered != 0 {
			t.Errorf("while it is down: %+v", s)
		}
		if n := len(r.attempts()); n > 64*80 {
			t.Errorf("%d attempts were made while it was down", n)
		}
		held := held(c)
		if held > window+maxBehind*scanBatch {
			t.Errorf("%d events are in memory", held)
		}
		time.Sleep(time.Until(up) + 5*time.Minute)
		for _, arn := range stages {
			equal(t, "ids of "+arn.ID, ids(r.delivered(arn)), w.feed(c, 0, arn))
		}
		if s := c.Stats()[h.ARN.String()]; s.Lag != 0 || s.LagTime != 0 || s.Letters != 0 {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

func held(c *Courier) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rounds {
		r.mu.Lock()
		for _, l := range r.lanes {
			n += len(l.queue)
		}
		r.mu.Unlock()
	}
	return n
}

func TestAStageWhoseEventsAreRefusedDoesNotHoldUpTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		poisoned, fine := w.stage(), w.stage()
		refuse := true
		var mu sync.Mutex
		r := &receiver{answer: func(g got) (int, http.Header) {
			mu.Lock()
			defer mu.Unlock()
			if refuse && g.Resources[0] == poisoned.String() {
				return 400, nil
			}
			return 200, nil
		}}
		c, _ := w.courier(Options{Transport: r})
		w.hook(c, NewHook{})
		for range 600 { // more than fit into memory
			w.join(poisoned)
			w.join(fine)
		}
		time.Sleep(time.Minute)
		equal(t, "the others", ids(r.delivered(fine)), w.feed(c, 0, fine))
		if len(r.delivered(poisoned)) != 0 {
			t.Error("the poisoned stage got something")
		}
		mu.Lock()
		refuse = false
		mu.Unlock()
		time.Sleep(5 * time.Minute)
		equal(t, "the poisoned stage later", ids(r.delivered(poisoned)), w.feed(c, 0, poisoned))
		w.join(poisoned)
		time.Sleep(time.Second)
		equal(t, "and then", ids(r.delivered(poisoned)), w.feed(c, 0, poisoned))
	})
}

func TestAfterAKillAnotherProcessGoesOnWithoutLossAndWithTheSameIDs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		arn, bad := w.stage(), w.stage()
		var mu sync.Mutex
		n, kill := 0, func() {}
		r := &receiver{}
		r.answer = func(g got) (int, http.Header) {
			time.Sleep(30 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			if g.Resources[0] == bad.String() && n < 30 {
				return 500, nil
			}
			if n++; n == 20 {
				go kill()
			}
			return 200, nil
		}
		first, p := w.courier(Options{Transport: r})
		kill = p.kill
		w.hook(first, NewHook{})
		for range 40 {
			w.join(arn)
			w.join(bad)
		}
		time.Sleep(5 * time.Second)
		died := time.Now()
		before := len(r.attempts())
		second, _ := w.courier(Options{Transport: r})
		time.Sleep(5 * time.Minute)
		for _, one := range []stage.ARN{arn, bad} {
			equal(t, "ids", ids(r.delivered(one)), w.feed(second, 0, one))
		}
		all := r.attempts()
		if len(all) == before || all[before].at.Sub(died) > 30*time.Second {
			t.Error("nobody took over within 30 s")
		}
		again := len(r.delivered()) - len(ids(r.delivered()))
		if again == 0 || again > 40 {
			t.Errorf("%d events were delivered a second time", again)
		}
	})
}

func TestOfSeveralProcessesOneDeliversAndAnotherTakesOverAtOnceWhenItStops(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		one, two := &receiver{}, &receiver{}
		c, p := w.courier(Options{Transport: one})
		w.hook(c, NewHook{})
		arn := w.stage()
		w.join(arn)
		time.Sleep(3 * time.Second)
		w.courier(Options{Transport: two})
		for range 100 {
			w.join(arn)
			time.Sleep(time.Second)
		}
		if len(two.attempts()) != 0 || len(one.attempts()) != 102 {
			t.Errorf("the first one delivered %d, the second %d", len(one.attempts()), len(two.attempts()))
		}
		p.stop()
		w.join(arn)
		time.Sleep(2 * time.Second)
		if len(two.attempts()) != 1 || len(one.attempts()) != 102 {
			t.Errorf("the first one delivered %d, the second %d", len(one.attempts()), len(two.attempts()))
		}
	})
}

func TestAnEventRefusedForTooLongIsADeadLetterAndTheStageGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		cured := false
		r := &receiver{answer: func(g got) (int, http.Header) {
			mu.Lock()
			defer mu.Unlock()
			if g.Detail.ParticipantID == "p002" && !cured {
				return 422, nil
			}
			return 200, nil
		}}
		c, _ := w.courier(Options{Transport: r, GiveUp: 2 * time.Hour})
		h, _ := w.hook(c, NewHook{})
		arn := w.stage()
		for range 3 {
			w.join(arn)
		}
		time.Sleep(119 * time.Minute)
		if n := len(r.delivered()); n != 2 {
			t.Errorf("%d events were delivered past the refused one", n)
		}
		time.Sleep(5 * time.Minute)
		equal(t, "afterwards", names(r.delivered()), []string{"Session Started", "Participant Joined p001", "Participant Joined p003"})
		letters, next, err := c.Letters(t.Context(), w.caller, h.ARN.ID, stage.Page{Limit: 10})
		w.check(err)
		if len(letters) != 1 || next != 0 || letters[0].Event.Participant != "p002" || letters[0].Reason != "status 422" || letters[0].Attempts < minAttempts {
			t.Fatalf("dead letters: %+v", letters)
		}
		mu.Lock()
		cured = true
		mu.Unlock()
		n, err := c.Redeliver(t.Context(), w.caller, h.ARN.ID, Again{Letters: true})
		w.check(err)
		time.Sleep(10 * time.Second)
		letters, _, err = c.Letters(t.Context(), w.caller, h.ARN.ID, stage.Page{Limit: 10})
		w.check(err)
		if last := r.delivered()[3]; n != 1 || len(letters) != 0 || last.Detail.ParticipantID != "p002" || last.ID != letterID(r) {
			t.Errorf("redelivered %d: %s; %d letters are left", n, last, len(letters))
		}
	})
}

// letterID is the id that p002's event had when it was refused.
func letterID(r *receiver) string {
	all := r.attempts()
	return all[slices.IndexFunc(all, func(g got) bool { return g.Detail.ParticipantID == "p002" })].ID
}

func TestEventsAreDeliveredAgainByNumberOrSinceATime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := &receiver{}
		c, _ := w.courier(Options{Transport: r})
		h, _ := w.hook(c, NewHook{Events: []string{"Participant Joined"}})
		arn := w.stage()
		var since time.Time
		for i := range 20 {
			if i == 12 {
				time.Sleep(time.Hour)
				since = time.Now()
			}
			w.join(arn)
			time.Sleep(time.Second)
		}
		again := func(a Again) []string {
			t.Helper()
			before := len(r.delivered())
			n, err := c.Redeliver(t.Context(), w.caller, h.ARN.ID, a)
			w.check(err)
			time.Sleep(30 * time.Second)
			if n != len(r.delivered())-before {
				t.Errorf("%d were announced, %d came", n, len(r.delivered())-before)
			}
			return names(r.delivered()[before:])
		}
		equal(t, "by number", again(Again{Events: []int64{4, 6}}), []string{"Participant Joined p003", "Participant Joined p005"})
		var want []string
		for i := 13; i <= 20; i++ {
			want = append(want, fmt.Sprintf("Participant Joined p%03d", i))
		}
		equal(t, "since", again(Again{Since: since}), want)
		for _, a := range []Again{{}, {Events: []int64{1}}, {Events: []int64{99}}, {Events: make([]int64, 1001)}} {
			if _, err := c.Redeliver(t.Context(), w.caller, h.ARN.ID, a); stage.KindOf(err) != stage.Invalid && stage.KindOf(err) != stage.NotFound {
				t.Errorf("%v: %v", a, err)
			}
		}
	})
}

func TestAReceiverThatIsGoneIsDisabledAndCanBeEnabledWhereItWas(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		status := 410
		r := &receiver{answer: func(got) (int, http.Header) {
			mu.Lock()
			defer mu.Unlock()
			return status, nil
		}}
		c, _ := w.courier(Options{Transport: r})
		h, _ := w.hook(c, NewHook{})
		arn := w.stage()
		w.join(arn)
		time.Sleep(time.Minute)
		h, err := c.Hook(t.Context(), w.caller, h.ARN.ID)
		w.check(err)
		if n := len(r.attempts()); !h.Disabled || h.Reason == "" || n != 1 {
			t.Errorf("after %d attempts: %+v", n, h)
		}
		if _, waiting, err := c.Undelivered(t.Context()); waiting || err != nil {
			t.Errorf("history waits for a hook that is disabled: %v", err)
		}
		w.join(arn)
		mu.Lock()
		status = 200
		mu.Unlock()
		no := false
		_, _, err = c.Change(t.Context(), w.caller, h.ARN.ID, Change{Disabled: &no})
		w.check(err)
		time.Sleep(time.Minute)
		equal(t, "ids", ids(r.delivered()), w.feed(c, 0))
	})
}

func TestAReceiverIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		headers := []string{"1200", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}
		r := &receiver{answer: func(got) (int, http.Header) {
			mu.Lock()
			defer mu.Unlock()
			if len(headers) == 0 {
				return 200, nil
			}
			h := http.Header{"Retry-After": headers[:1]}
			headers = headers[1:]
			return 503, h
		}}
		c, _ := w.courier(Options{Transport: r})
		w.hook(c, NewHook{Events: []string{"Participant Joined"}})
		w.join(w.stage())
		time.Sleep(2 * time.Hour)
		all := r.attempts()
		if len(all) != 3 || all[1].at.Sub(all[0].at) != 20*time.Minute || all[2].at.Sub(all[0].at).Round(time.Minute) != time.Hour {
			t.Errorf("%d attempts", len(all))
		}
	})
}

func TestAnAttemptThatIsUnderWayWhenTheServerStopsIsFinishedAndRemembered(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := &receiver{answer: func(got) (int, http.Header) { time.Sleep(time.Second); return 200, nil }}
		m := w.store
		c, err := Open(t.Context(), Options{Service: w.Service, Store: m, Transport: r})
		w.check(err)
		ran := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		go func() { defer close(ran); c.Run(ctx) }()
		w.hook(c, NewHook{Events: []string{"Participant Joined"}})
		arn := w.stage()
		w.join(arn)
		w.join(arn)
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		stop()
		<-ran
		if len(r.attempts()) != 1 {
			t.Errorf("%d attempts", len(r.attempts()))
		}
		w.courier(Options{Transport: r})
		time.Sleep(5 * time.Second) // the turn was left, nobody waits for it
		equal(t, "all attempts", names(r.attempts()), []string{"Participant Joined p001", "Participant Joined p002"})
	})
}
