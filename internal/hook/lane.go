package hook

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"callboard/internal/stage"
)

const (
	firstBackoff = time.Second
	lastBackoff  = time.Minute
	// minAttempts are made before an event is given up, however old it is.
	minAttempts = 5
)

// lane is the events of one stage on their way to a hook, in order. What
// it has is guarded by the round's lock; one goroutine carries it.
//
// When an attempt fails the lane falls behind: it lets go of what is in memory,
// the round reads on without it, and the lane reads the feed by itself until it has
// caught up.
type lane struct {
	stage stage.ARN
	queue []stage.Event // to be delivered next

	behind  bool
	done    int64 // while behind: everything up to here is settled
	scanned int64 // while behind: what the hook wants up to here is in the queue, or settled
}

// settled is the position of a lane that is behind.
func (l *lane) settled() int64 {
	if len(l.queue) == 0 {
		return l.scanned
	}
	return l.done
}

// carry delivers the events of a lane until there is none.
func (r *round) carry(ctx context.Context, l *lane) {
	for tries := 0; ; {
		e, ok := r.next(ctx, l)
		if !ok {
			return
		}
		o := r.attempt(ctx, e)
		switch tries++; {
		case o.delivered:
			r.settle(l, e)
			tries = 0
		case ctx.Err() != nil:
			return
		case o.gone && !r.hook.Configured:
			r.disable(ctx)
			return
		case tries >= minAttempts && r.c.o.Now().Sub(e.At) >= r.c.o.GiveUp:
			if r.giveUp(ctx, e, tries, o.reason) {
				r.settle(l, e)
				tries = 0
			}
		default:
			r.fallBehind(l)
			r.c.log.Warn("webhook refused an event", "webhook", r.hook, "stage", e.Stage, "event", e.No, "attempt", tries, "reason", o.reason)
			pause(ctx, max(backoff(tries), o.after))
		}
	}
}

// backoff is the time until the next attempt: twice as long each time, and a
// different one for each lane.
func backoff(tries int) time.Duration {
	d := min(firstBackoff<<min(tries-1, 10), lastBackoff)
	return d/2 + rand.N(d/2)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// next gives the event whose turn it is; false when the lane has ended.
func (r *round) next(ctx context.Context, l *lane) (stage.Event, bool) {
	for ctx.Err() == nil {
		r.mu.Lock()
		switch {
		case len(l.queue) > 0:
			defer r.mu.Unlock()
			return l.queue[0], true
		case l.behind && l.scanned < r.read:
			r.mu.Unlock()
			if err := r.scan(ctx, l); err != nil && ctx.Err() == nil {
				r.c.log.Error("the feed cannot be read for a webhook", "webhook", r.hook, "error", err)
				pause(ctx, lastBackoff)
			}
		default:
			defer r.mu.Unlock()
			if l.behind {
				r.behind--
			}
			delete(r.lanes, l.stage) // the next event of the stage begins another
			r.moved = true
			r.room.Broadcast()
			return stage.Event{}, false
		}
	}
	return stage.Event{}, false
}

const scanBatch = 500

// scan looks for events of a lane that is behind, up to where the round has read.
func (r *round) scan(ctx context.Context, l *lane) error {
	r.mu.Lock()
	from, to := l.scanned, r.read
	r.mu.Unlock()
	var page []stage.Event
	err := r.c.store.View(ctx, func(tx stage.Tx) (err error) {
		page, err = tx.Feed(from, scanBatch)
		return err
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range page {
		if e.No <= to && e.Stage == l.stage && r.hook.wants(e) {
			l.queue = append(l.queue, e)
		}
	}
	if n := len(page); n == scanBatch && page[n-1].No < to {
		to = page[n-1].No
	}
	l.scanned, r.moved = to, true
	return nil
}

// settle takes an event off its lane.
func (r *round) settle(l *lane, e stage.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.queue = l.queue[1:]
	l.done = e.No
	if !l.behind {
		r.held--
		r.room.Broadcast()
	}
	r.moved = true
}

// fallBehind has a lane wait without holding up the others.
func (r *round) fallBehind(l *lane) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.behind {
		return
	}
	r.held -= len(l.queue)
	r.behind++
	l.queue = l.queue[:1:1]
	l.behind, l.done, l.scanned = true, l.queue[0].No-1, l.queue[0].No
	r.moved = true
	r.room.Broadcast()
}

// attempt posts an event once. It may go on for a moment after ctx has ended.
func (r *round) attempt(ctx context.Context, e stage.Event) outcome {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return outcome{}
	}
	trying, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(farewell, cancel) })()
	body, id, err := r.c.envelop(trying, e)
	if err != nil {
		return outcome{reason: "the event cannot be read: " + err.Error()}
	}
	o := r.c.post(trying, &r.hook, e.No, id, body)
	r.c.tally.count(r.hook.ARN, o.delivered)
	return o
}

// envelop reads what an envelope says beside its event and makes it.
func (c *Courier) envelop(ctx context.Context, e stage.Event) (body []byte, id string, err error) {
	k, ok := kindOf(e.Name)
	if !ok {
		return nil, "", errors.New("it is told to nobody")
	}
	var sc scene
	err = c.store.View(ctx, func(tx stage.Tx) error {
		sc = scene{}
		list, err := tx.Sessions(stage.SessionQuery{All: true, After: e.Session - 1, Limit: 1})
		if err != nil || len(list) == 0 || list[0].No != e.Session {
			return err
		}
		sc.session = list[0]
		if e.Participant == "" {
			return nil
		}
		p, err := tx.Participant(e.Session, e.Participant)
		if errors.Is(err, stage.ErrNoRow) {
			return nil // refused before it joined
		}
		sc.userID = p.UserID
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return envelop(c.key, k, e, sc)
}

// giveUp makes a dead letter of an event; false if it could not be stored.
func (r *round) giveUp(ctx context.Context, e stage.Event, tries int, reason string) bool {
	err := r.c.inTurn(ctx, func(tx stage.Tx) error {
		_, err := putLetter(tx, r.hook.ARN, typeDead, Letter{Event: e, Attempts: tries, Reason: reason, Since: tx.Now()})
		return err
	})
	if err != nil {
		r.c.log.Error("a dead letter cannot be stored", "webhook", r.hook, "event", e.No, "error", err)
		pause(ctx, lastBackoff)
		return false
	}
	r.c.tally.bury(r.hook.ARN)
	r.c.log.Error("webhook refused an event for too long, it is a dead letter", "webhook", r.hook, "stage", e.Stage, "event", e.No, "reason", reason)
	return true
}

// disable ends deliveries to a hook whose receiver says that it is gone.
func (r *round) disable(ctx context.Context) {
	r.c.log.Warn("webhook is disabled: its receiver answers 410 Gone", "webhook", r.hook)
	err := r.c.inTurn(ctx, func(tx stage.Tx) error {
		d, err := tx.Document(r.hook.ARN)
		if err != nil {
			return err
		}
		h, err := hookOf(d)
		if err != nil {
			return err
		}
		h.Disabled, h.Reason = true, "the receiver answered 410 Gone"
		return put(tx, &h)
	})
	if err != nil {
		r.c.log.Error("a webhook cannot be disabled", "webhook", r.hook, "error", err)
	}
	r.cancel()
	r.c.wake()
}
