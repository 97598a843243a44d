package stage_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
	"callboard/internal/store"
	"callboard/internal/token"
)

// loaded gives the same bytes every time.
func loaded() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{7}) }

func TestTheSameSourceGivesTheSameIDsInTheOrderOfTheCalls(t *testing.T) {
	t.Parallel()
	ids := func() []string {
		w := newWorld(t)
		facts, err := store.Open(t.Context(), store.Options{})
		w.check(err)
		t.Cleanup(func() { facts.Close() })
		w.Service, w.Register, err = stage.Open(t.Context(), stage.Options{Store: facts, Rand: loaded(), Endpoints: stage.Endpoints{Events: "ws://x", WHIP: "http://x"}})
		w.check(err)
		arn := w.stage()
		entry := w.join(arn, "alice")
		_, public := keyPair(t)
		key, err := w.ImportPublicKey(t.Context(), w.caller, "", public, nil)
		w.check(err)
		return []string{arn.ID, entry.ParticipantID, entry.SessionID, key.ARN.ID}
	}
	first, second := ids(), ids()
	if !slices.Equal(first, second) {
		t.Errorf("first %q, then %q", first, second)
	}
	slices.Sort(first)
	if len(slices.Compact(first)) != 4 {
		t.Errorf("ids repeat in %q", second)
	}
}

func TestASourceThatEndsMakesNoIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer func() {
		if p := recover(); p == nil {
			t.Error("a stage was made without random numbers")
		}
	}()
	var err error
	w.Service, _, err = stage.Open(t.Context(), stage.Options{Store: w.store, Rand: bytes.NewReader([]byte("few"))})
	w.check(err)
	w.stage()
}

func TestStagesAndTokensCarryTheEndpointsOfWhoAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := stage.Endpoints{Events: "ws://box:32768/events", WHIP: "http://box:32768/whip"}
	elsewhere := w.caller
	elsewhere.Endpoints = mine
	made, tokens, err := w.CreateStage(t.Context(), elsewhere, stage.NewStage{Tokens: []stage.TokenRequest{{UserID: "alice"}}})
	w.check(err)
	found, err := w.Stage(t.Context(), elsewhere, made.ARN)
	w.check(err)
	changed, err := w.UpdateStage(t.Context(), elsewhere, made.ARN, stage.StageChange{})
	w.check(err)
	for _, s := range []stage.Stage{made, found, changed} {
		if s.Endpoints != mine {
			t.Errorf("the endpoints are %+v", s.Endpoints)
		}
	}
	issued, err := w.CreateToken(t.Context(), elsewhere, made.ARN, stage.TokenRequest{})
	w.check(err)
	for _, jwt := range []string{tokens[0].JWT, issued.JWT} {
		if got := endpointsIn(t, jwt); got != mine {
			t.Errorf("the token says %+v", got)
		}
	}
	own, err := w.Stage(t.Context(), w.caller, made.ARN)
	w.check(err)
	if own.Endpoints.WHIP != "http://localhost/whip" {
		t.Errorf("who says nothing gets %+v", own.Endpoints)
	}
}

func TestARewordedTokenIsTheSamePermissionUnderOtherURLs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	issued := w.token(arn, "alice")
	w.pass(time.Hour)
	elsewhere := w.caller
	elsewhere.Endpoints = stage.Endpoints{Events: "ws://box/events", WHIP: "http://box/whip"}
	again, err := w.Reword(elsewhere, arn, issued)
	w.check(err)
	if got := endpointsIn(t, again.JWT); got != elsewhere.Endpoints {
		t.Errorf("it says %+v", got)
	}
	before, err := w.Admit(t.Context(), issued.JWT)
	w.check(err)
	after, err := w.Admit(t.Context(), again.JWT)
	w.check(err)
	if before.ParticipantID != after.ParticipantID || !before.Expires.Equal(after.Expires) || after.UserID != "alice" || !after.MayPublish {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if _, err := w.Reword(stage.Caller{Account: "999999999999"}, arn, issued); stage.KindOf(err) != stage.Denied {
		t.Errorf("another account gets %v", err)
	}
}

func endpointsIn(t *testing.T, jwt string) stage.Endpoints {
	t.Helper()
	parsed, err := token.Parse(jwt, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return stage.Endpoints{Events: parsed.Claims().EventsURL, WHIP: parsed.Claims().WHIPURL}
}

func TestAStageMayBeMadeUnderAnIDThatNoneHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made, _, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{ID: "AbCdEfGhIjKl"})
	w.check(err)
	if !strings.HasSuffix(made.ARN.String(), ":stage/AbCdEfGhIjKl") {
		t.Errorf("it is %s", made.ARN)
	}
	for id, want := range map[string]stage.Kind{"AbCdEfGhIjKl": stage.Conflict, "short": stage.Invalid, "AbCdEf-hIjKl": stage.Invalid} {
		if _, _, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{ID: id}); stage.KindOf(err) != want {
			t.Errorf("%s gives %v", id, err)
		}
	}
}

func TestAfterAResetNothingIsKnownAndTokensOfBeforeOpenNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	issued := w.token(arn, "alice")
	w.record(w.enter(issued.JWT), stage.Left)
	during := false
	w.check(w.Reset(t.Context(), func() { during = true }))
	if !during {
		t.Error("nothing was run meanwhile")
	}
	if _, err := w.Stage(t.Context(), w.caller, arn); stage.KindOf(err) != stage.NotFound {
		t.Errorf("the stage: %v", err)
	}
	e, ok := errors.AsType[*stage.Error](func() error { _, err := w.Admit(t.Context(), issued.JWT); return err }())
	if !ok || e.Code != stage.CodeStageDeleted {
		t.Errorf("the token: %v", e)
	}
	// Of the same stage, should it come back, it is as good as before.
	_, _, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{ID: arn.ID})
	w.check(err)
	w.enter(issued.JWT)
}

func TestAnIDThatSomebodyCameWithIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dice := loaded()
	var err error
	w.Service, w.Register, err = stage.Open(t.Context(), stage.Options{
		Store: w.store, Rand: dice, Now: w.clock, Endpoints: stage.Endpoints{Events: "ws://x", WHIP: "http://x"},
	})
	w.check(err)
	arn := w.stage()
	before := w.token(arn, "alice")
	w.check(w.Reset(t.Context(), func() { *dice = *loaded() }))
	if again := w.stage(); again != arn {
		t.Fatalf("the stage is %s, not %s again", again, arn)
	}
	w.enter(before.JWT)
	if after := w.token(arn, "bob"); after.ParticipantID == before.ParticipantID {
		t.Errorf("bob is %s, as alice is", after.ParticipantID)
	}
}
