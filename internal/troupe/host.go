package troupe

import (
	"context"
	"errors"
	"sync"

	"github.com/coder/websocket"

	"callboard/internal/live"
	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// host makes the peer of a leg that another process asks for, and looks after it
// until the stream or the peer has ended.
func (t *Troupe) host(ctx context.Context, conn *websocket.Conn) {
	conn.SetReadLimit(maxWord)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wish, err := readWish(ctx, conn)
	if err != nil {
		t.Log.Warn("another server asked for a leg in a way that is not understood", "error", err)
		return
	}
	news := make(chan word, 3) // room for one of each
	visit, answer, err := t.floor.Host(ctx, wish, sfu.Notify{
		Connected: func() { news <- word{Kind: connectedWord} },
		Media:     func() { news <- word{Kind: mediaWord} },
		Closed:    func(err error) { news <- closedBecause(err) },
	})
	if err != nil {
		send(ctx, conn, word{Kind: answerWord, Refusal: t.refuse(err)}) // whoever is gone needs no answer
		conn.Close(websocket.StatusNormalClosure, "")
		return
	}
	helpers.Go(func() { keepAlive(ctx, conn, pingEvery) })
	helpers.Go(func() {
		defer visit.Close()
		t.listen(ctx, conn, visit)
	})
	if err := send(ctx, conn, word{Kind: answerWord, Answer: answer, ETag: visit.ETag()}); err != nil {
		visit.Close()
	}
	for w := range news {
		if err := send(ctx, conn, w); err != nil {
			visit.Close()
		}
		if w.Kind == closedWord {
			return
		}
	}
}

func readWish(ctx context.Context, conn *websocket.Conn) (live.Wish, error) {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	w, err := readWord(ctx, conn)
	if err != nil {
		return live.Wish{}, err
	}
	return w.wish()
}

func (w word) wish() (live.Wish, error) {
	arn, err := stage.ParseARN(w.Stage)
	if err != nil {
		return live.Wish{}, err
	}
	if w.Kind != offerWord || w.Options == nil {
		return live.Wish{}, errors.New("this is no offer")
	}
	return live.Wish{Stage: arn, Publisher: w.Publisher, Subscriber: w.Subscriber, Offer: w.Offer, Options: *w.Options}, nil
}

func closedBecause(err error) word {
	if err == nil {
		return word{Kind: closedWord}
	}
	return word{Kind: closedWord, Cause: err.Error()}
}

// listen does what the participant's home says, until the stream ends.
func (t *Troupe) listen(ctx context.Context, conn *websocket.Conn, visit *live.Visit) {
	for {
		w, err := readWord(ctx, conn)
		if err != nil {
			return
		}
		var answer word
		switch w.Kind {
		case startWord:
			visit.Start()
			continue
		case patchWord:
			answer = t.patch(visit, w.Fragment)
		case chooseWord:
			answer = t.choose(ctx, visit, w.Change)
		case seeWord:
			answer = t.see(ctx, visit)
		default:
			continue
		}
		answer.No = w.No
		if err := send(ctx, conn, answer); err != nil {
			return
		}
	}
}

func (t *Troupe) choose(ctx context.Context, visit *live.Visit, c *sfu.Change) word {
	if c == nil {
		c = &sfu.Change{}
	}
	if err := visit.Choose(ctx, *c); err != nil {
		return word{Kind: chosenWord, Refusal: t.refuse(err)}
	}
	return word{Kind: chosenWord}
}

func (t *Troupe) see(ctx context.Context, visit *live.Visit) word {
	v, err := visit.View(ctx)
	if err != nil {
		return word{Kind: seenWord, Refusal: t.refuse(err)}
	}
	return word{Kind: seenWord, View: &v}
}

func (t *Troupe) patch(visit *live.Visit, fragment string) word {
	f, err := sfu.ParseFragment(fragment)
	if err != nil {
		return word{Kind: patchedWord, Refusal: &refusal{Kind: stage.Invalid, Message: err.Error()}}
	}
	answer, err := visit.Patch(f)
	if err != nil {
		return word{Kind: patchedWord, Refusal: t.refuse(err)}
	}
	w := word{Kind: patchedWord, ETag: visit.ETag()}
	if !answer.IsZero() {
		w.Fragment = answer.String()
	}
	return w
}
