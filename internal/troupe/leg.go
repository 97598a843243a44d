package troupe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/live"
	"callboard/internal/sfu"
	"callboard/internal/stage"
)

const (
	maxWord    = 512 << 10 // bytes of one word; an offer has at most 64 KiB
	legTimeout = 6 * time.Second
)

// word is what two processes say to each other about one leg. The participant's
// home says offer, start, patch, choose and see; the publisher's answers, and says what becomes of the peer.
type word struct {
	Kind string `json:"kind"`
	No   uint64 `json:"no,omitempty"` // of a question, which its answer repeats

	Stage      string                `json:"stage,omitempty"` // of an offer, as are the next
	Publisher  string                `json:"publisher,omitempty"`
	Subscriber string                `json:"subscriber,omitempty"`
	Offer      string                `json:"offer,omitempty"`
	Options    *sfu.SubscribeOptions `json:"options,omitempty"`

	Answer   string   `json:"answer,omitempty"`
	ETag     string   `json:"etag,omitempty"`     // of answer and patched
	Fragment string   `json:"fragment,omitempty"` // of patch and patched
	Refusal  *refusal `json:"refusal,omitempty"`  // instead of an answer, or in patched
	Cause    string   `json:"cause,omitempty"`    // of closed; empty for an orderly end

	Change *sfu.Change `json:"change,omitempty"` // of choose
	View   *sfu.View   `json:"view,omitempty"`   // of seen
}

// The kinds of words.
const (
	offerWord     = "offer"
	answerWord    = "answer"
	startWord     = "start"
	connectedWord = "connected"
	mediaWord     = "media"
	patchWord     = "patch"
	patchedWord   = "patched"
	chooseWord    = "choose"
	chosenWord    = "chosen"
	seeWord       = "see"
	seenWord      = "seen"
	closedWord    = "closed"
)

// refusal is an error for a participant.
type refusal struct {
	Offer     bool       `json:"offer,omitempty"` // an sfu.OfferError, whose code Problem is
	Problem   string     `json:"problem,omitempty"`
	Closed    bool       `json:"closed,omitempty"`    // sfu.ErrClosed
	NoRestart bool       `json:"noRestart,omitempty"` // sfu.ErrRestartUnsupported
	NoLayer   bool       `json:"noLayer,omitempty"`   // sfu.ErrNoLayer
	Kind      stage.Kind `json:"kind,omitempty"`
	Code      string     `json:"code,omitempty"`
	Message   string     `json:"message,omitempty"`
}

// refuse puts an error on the wire. What is not for participants' eyes is the
// trouble of the process where it happened.
func (t *Troupe) refuse(err error) *refusal {
	if problem, ok := errors.AsType[*sfu.OfferError](err); ok {
		return &refusal{Offer: true, Problem: string(problem.Code), Message: problem.Message}
	}
	if e, ok := errors.AsType[*stage.Error](err); ok && e.Kind != stage.Internal {
		return &refusal{Kind: e.Kind, Code: e.Code, Message: e.Message}
	}
	r := refusal{Closed: errors.Is(err, sfu.ErrClosed), NoRestart: errors.Is(err, sfu.ErrRestartUnsupported), NoLayer: errors.Is(err, sfu.ErrNoLayer)}
	if r == (refusal{}) {
		t.Log.Error("a subscription for another server failed", "error", err)
	}
	return &r
}

// err is the error again.
func (r *refusal) err() error {
	switch {
	case r == nil:
		return nil
	case r.Offer:
		return &sfu.OfferError{Code: sfu.OfferProblem(r.Problem), Message: r.Message}
	case r.Closed:
		return sfu.ErrClosed
	case r.NoRestart:
		return sfu.ErrRestartUnsupported
	case r.NoLayer:
		return sfu.ErrNoLayer
	case r.Kind == stage.Internal:
		return errors.New("the server that holds the publisher failed")
	}
	return &stage.Error{Kind: r.Kind, Code: r.Code, Message: r.Message}
}

func readWord(ctx context.Context, conn *websocket.Conn) (w word, err error) {
	_, data, err := conn.Read(ctx)
	if err != nil {
		return w, err
	}
	return parseWord(data)
}

func parseWord(data []byte) (w word, err error) {
	if err := json.Unmarshal(data, &w); err != nil {
		return w, fmt.Errorf("a word about a leg: %w", err)
	}
	return w, nil
}

// leg is a participant's subscription whose peer another process has. The
// stream to that process is as long as the peer's life.
type leg struct {
	conn   *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc
	notify sfu.Notify

	mu    sync.Mutex
	etag  string
	last  uint64               // number of the last question
	asked map[uint64]chan word // questions that somebody waits for, by number
}

var _ live.Receiver = (*leg)(nil)

// Subscribe implements [live.Others].
func (t *Troupe) Subscribe(ctx context.Context, home stage.Process, w live.Wish, n sfu.Notify) (live.Receiver, string, error) {
	conn, err := t.dial(ctx, home, "/peer/leg")
	if err != nil {
		t.Log.Warn("the server that holds a publisher does not answer", "process", home.ID, "peer_url", home.URL, "error", err)
		return nil, "", &stage.Error{Kind: stage.Quota, Message: "The server that holds the publisher does not answer; try again in a moment", Err: err}
	}
	conn.SetReadLimit(maxWord)
	answer, err := offer(ctx, conn, w)
	if err != nil {
		conn.CloseNow()
		return nil, "", err
	}
	l := &leg{conn: conn, notify: n, etag: answer.ETag, asked: make(map[uint64]chan word)}
	l.ctx, l.cancel = context.WithCancel(t.cut)
	t.count.legs.Add(1)
	t.work.Go(func() { keepAlive(l.ctx, conn, pingEvery) })
	t.work.Go(func() {
		defer t.count.legs.Add(-1)
		l.run()
	})
	return l, answer.Answer, nil
}

func offer(ctx context.Context, conn *websocket.Conn, w live.Wish) (word, error) {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	err := send(ctx, conn, word{Kind: offerWord, Stage: w.Stage.String(), Publisher: w.Publisher, Subscriber: w.Subscriber, Offer: w.Offer, Options: &w.Options})
	if err != nil {
		return word{}, err
	}
	answer, err := readWord(ctx, conn)
	if err == nil {
		err = answer.Refusal.err()
	}
	if err == nil && answer.Kind != answerWord {
		err = fmt.Errorf("instead of an answer came %.20q", answer.Kind)
	}
	return answer, err
}

// run hears what becomes of the peer.
func (l *leg) run() {
	var cause error
	defer func() {
		l.cancel()
		l.conn.CloseNow()
		l.notify.Closed(cause)
	}()
	for {
		w, err := readWord(l.ctx, l.conn)
		if err != nil {
			if l.ctx.Err() == nil {
				cause = err
			}
			return
		}
		switch w.Kind {
		case connectedWord:
			l.notify.Connected()
		case mediaWord:
			l.notify.Media()
		case patchedWord, chosenWord, seenWord:
			l.answered(w)
		case closedWord:
			if w.Cause != "" {
				cause = errors.New(w.Cause)
			}
			return
		}
	}
}

// Start lets media flow.
func (l *leg) Start() { l.say(word{Kind: startWord}) }

// say ends the leg if it cannot be said. What is said is small and rare, so it waits for nothing but a full socket.
func (l *leg) say(w word) {
	if err := send(l.ctx, l.conn, w); err != nil {
		l.cancel()
	}
}

// Close ends the leg; the other process ends the peer when the stream does.
func (l *leg) Close() { l.cancel() }

// ETag identifies the ICE session.
func (l *leg) ETag() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.etag
}

// Patch has the other process do what [sfu.Peer.Patch] does.
func (l *leg) Patch(f sfu.Fragment) (sfu.Fragment, error) {
	w, err := l.ask(context.Background(), word{Kind: patchWord, Fragment: f.String()})
	if errors.Is(err, errNoAnswer) {
		err = sfu.ErrRestartUnsupported
	}
	if err != nil {
		return sfu.Fragment{}, err
	}
	if w.Fragment == "" {
		return sfu.Fragment{}, nil
	}
	return sfu.ParseFragment(w.Fragment)
}

// Choose has the other process do what [sfu.Subscription.Choose] does.
func (l *leg) Choose(ctx context.Context, c sfu.Change) error {
	_, err := l.ask(ctx, word{Kind: chooseWord, Change: &c})
	return unavailing(err)
}

// View has the other process tell what there is to choose from.
func (l *leg) View(ctx context.Context) (sfu.View, error) {
	w, err := l.ask(ctx, word{Kind: seeWord})
	if err != nil || w.View == nil {
		return sfu.View{}, unavailing(err)
	}
	return *w.View, nil
}

var errNoAnswer = errors.New("the server that holds the publisher does not answer")

func unavailing(err error) error {
	if !errors.Is(err, errNoAnswer) {
		return err
	}
	return &stage.Error{Kind: stage.Quota, Message: "The server that holds the publisher does not answer; try again in a moment", Err: err}
}

// ask says something and waits for the answer.
func (l *leg) ask(ctx context.Context, w word) (word, error) {
	answer := make(chan word, 1)
	l.mu.Lock()
	l.last++
	w.No = l.last
	l.asked[w.No] = answer
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.asked, w.No)
	}()
	l.say(w)
	late := time.NewTimer(legTimeout)
	defer late.Stop()
	select {
	case <-l.ctx.Done():
		return word{}, sfu.ErrClosed
	case <-ctx.Done():
		return word{}, ctx.Err()
	case <-late.C:
		return word{}, errNoAnswer
	case a := <-answer:
		return a, a.Refusal.err()
	}
}

// answered hands an answer to whoever waits for it. Nobody may, for it comes too late or twice; what has
// become of the peer is true all the same.
func (l *leg) answered(w word) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.ETag != "" {
		l.etag = w.ETag
	}
	if answer := l.asked[w.No]; answer != nil {
		delete(l.asked, w.No)
		answer <- w // there is room
	}
}
