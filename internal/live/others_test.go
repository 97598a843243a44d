package live_test

import (
	"context"
	"testing"
	"time"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// asked are other processes that refuse everything and tell who was asked.
type asked chan string

func (a asked) Subscribe(_ context.Context, home stage.Process, _ live.Wish, _ sfu.Notify) (live.Receiver, string, error) {
	a <- home.ID
	return nil, "", &stage.Error{Kind: stage.Conflict, Message: "not now"}
}

// held is a store whose next update can be held up.
type held struct {
	stage.Store
	next chan chan struct{}
}

func (s held) Update(ctx context.Context, fn func(stage.Tx) error) error {
	select {
	case reached := <-s.next:
		close(reached)
		<-ctx.Done()
		return ctx.Err()
	default:
		return s.Store.Update(ctx, fn)
	}
}

func TestAPublisherElsewhereIsFoundWhileARequestOfItsIsOnTheWayHere(t *testing.T) {
	t.Parallel()
	others, facts := make(asked, 1), held{next: make(chan chan struct{}, 1)}
	h := open(t, livetest.Setting{
		Live:  live.Options{Others: others},
		Store: func(s stage.Store) stage.Store { facts.Store = s; return facts },
	})
	if _, err := h.Register.Enlist(t.Context(), "http://10.0.0.1", ""); err != nil {
		t.Fatal(err)
	}
	arn := h.Stage()
	publisher, viewer := h.Admit(arn), h.Admit(arn)
	h.attend(viewer)
	err := facts.Update(t.Context(), func(tx stage.Tx) error {
		err := tx.PutProcess(stage.Process{ID: "another", Renewed: tx.Now(), Expires: tx.Now().Add(time.Hour)})
		if err != nil {
			return err
		}
		return tx.PutSeat(stage.Seat{Stage: arn, ParticipantID: publisher.ParticipantID, Process: "another"})
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Floor.See("another", live.Sighting{Stage: arn, ID: publisher.ParticipantID, Person: &live.Person{
		ID: publisher.ParticipantID, JoinedAt: time.Now(), Publishing: true,
	}})
	ctx, end := context.WithCancel(t.Context())
	reached, ended := make(chan struct{}), make(chan struct{})
	facts.next <- reached
	go func() {
		defer close(ended)
		h.Floor.Home(ctx, publisher)
	}()
	livetest.Wait(t, "the request", reached)
	_, _, err = h.Floor.Subscribe(h.Context(), viewer, stage.Client{}, publisher.ParticipantID, livetest.Subscriber(t).Offer(), sfu.SubscribeOptions{})
	wantKind(t, err, stage.Conflict, "")
	if home := livetest.Wait(t, "the other process", others); home != "another" {
		t.Errorf("%s was asked", home)
	}
	end()
	livetest.Wait(t, "the end of the request", ended)
}
