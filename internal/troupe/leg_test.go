package troupe

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"callboard/internal/sfu"
)

// publisherOf gives a leg whose other process is what serve does.
func publisherOf(t *testing.T, serve func(conn *websocket.Conn)) *leg {
	t.Helper()
	var work sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		serve(conn)
	}))
	conn, _, err := websocket.Dial(t.Context(), server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &leg{conn: conn, asked: make(map[uint64]chan word), notify: sfu.Notify{Closed: func(error) {}}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	work.Go(l.run)
	t.Cleanup(func() {
		l.Close()
		work.Wait()
		server.Close()
	})
	return l
}

func TestAnAnswerThatComesLateIsNotTakenForThatOfTheNextQuestion(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	l := publisherOf(t, func(conn *websocket.Conn) {
		first, err := readWord(t.Context(), conn)
		close(asked)
		second, err2 := readWord(t.Context(), conn)
		late := word{Kind: chosenWord, No: first.No, Refusal: &refusal{NoLayer: true}}
		for _, w := range []word{late, late, {Kind: seenWord, No: 1 << 40}, {Kind: chosenWord, No: second.No}} {
			err = errors.Join(err, send(t.Context(), conn, w))
		}
		third, err3 := readWord(t.Context(), conn)
		err4 := send(t.Context(), conn, word{Kind: chosenWord, No: third.No, Refusal: &refusal{NoLayer: true}})
		if err := errors.Join(err, err2, err3, err4); err != nil {
			t.Error(err)
		}
		conn.Read(t.Context()) // until the leg ends
	})
	impatient, giveUp := context.WithCancel(t.Context())
	go func() {
		<-asked
		giveUp()
	}()
	if err := l.Choose(impatient, sfu.Change{}); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait gets %v", err)
	}
	if err := l.Choose(t.Context(), sfu.Change{}); err != nil {
		t.Errorf("the next question is answered with %v", err)
	}
	if err := l.Choose(t.Context(), sfu.Change{}); !errors.Is(err, sfu.ErrNoLayer) {
		t.Errorf("the one after that is answered with %v", err)
	}
	if len(l.asked) != 0 {
		t.Errorf("%d questions are waited for still", len(l.asked))
	}
}
