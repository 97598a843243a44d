package hook

import (
	"context"
	"errors"
	"sync"
	"time"

	"callboard/internal/stage"
)

const (
	// parallel is how many attempts a hook has under way, each of another stage.
	parallel = 8
	// window is how many events a hook has in memory while all goes well.
	window = 256
	// maxBehind is how many stages in trouble a hook has. With more of them the
	// receiver is, most likely, in trouble itself: it is then waited for.
	maxBehind = 64
	// farewell is how long an attempt may go on when the server stops.
	farewell = 2 * time.Second
	// saveEvery is how often a cursor is saved: what was delivered since is
	// delivered again if the process dies.
	saveEvery = 200 * time.Millisecond
)

// round delivers to one hook, for as long as it is this process's turn.
type round struct {
	c      *Courier
	hook   Hook
	cancel context.CancelFunc
	over   chan struct{}
	slots  chan struct{} // one entry for each attempt under way
	work   sync.WaitGroup

	mu     sync.Mutex
	room   *sync.Cond // there is room for more events, or the round ends
	read   int64      // everything up to here was read and is in a lane, or settled
	lanes  map[stage.ARN]*lane
	held   int // events in lanes that are not behind
	behind int // lanes that are
	moved  bool
	newest time.Time // when the event happened that was read last
}

// begin starts a round. It ends when ctx does, when the hook is gone, or when
// the turn is another's.
func (c *Courier) begin(serving context.Context, h Hook) *round {
	ctx, cancel := context.WithCancel(serving)
	r := &round{c: c, hook: h, cancel: cancel, over: make(chan struct{}), slots: make(chan struct{}, parallel), lanes: map[stage.ARN]*lane{}}
	r.room = sync.NewCond(&r.mu)
	go func() {
		defer close(r.over)
		defer cancel()
		err := r.run(ctx)
		if err != nil && serving.Err() == nil && !errors.Is(err, errNoTurn) && !errors.Is(err, stage.ErrNoRow) {
			c.log.Error("webhook stopped", "webhook", h, "error", err)
		}
	}()
	return r
}

func (r *round) ended() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

func (r *round) run(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.room.Broadcast()
	})()
	r.work.Go(func() { r.redeliver(ctx) })
	saving, stop := context.WithCancel(context.WithoutCancel(ctx))
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		r.keepSaving(saving)
	}()
	err := r.follow(ctx)
	r.cancel()
	r.work.Wait()
	stop()
	<-saved
	if err == nil {
		err = r.save(context.WithoutCancel(ctx))
	}
	return err
}

// load takes up where the last round ended.
func (r *round) load(ctx context.Context) error {
	var at cursor
	err := r.c.store.View(ctx, func(tx stage.Tx) (err error) {
		at, err = readCursor(tx, r.hook.ARN)
		return err
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = at.Read
	for text, done := range at.Behind {
		arn, err := stage.ParseARN(text)
		if err != nil {
			return err
		}
		r.behind++
		r.start(ctx, &lane{stage: arn, behind: true, done: done, scanned: done})
	}
	return nil
}

// start has a lane carried. The lock is held.
func (r *round) start(ctx context.Context, l *lane) {
	r.lanes[l.stage] = l
	r.work.Go(func() { r.carry(ctx, l) })
}

// follow reads the feed into the lanes.
func (r *round) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		err := r.followFrom(ctx)
		if !errors.Is(err, stage.ErrFeedBehind) {
			return err
		}
		if err := r.skip(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *round) followFrom(ctx context.Context) error {
	for e, err := range r.c.service.Feed(ctx, r.position()) {
		if err != nil {
			return err
		}
		if !r.take(ctx, e) {
			return nil
		}
	}
	return nil
}

func (r *round) position() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read
}

// skip goes on at the oldest event there is, when what came after the cursor
// is no longer kept.
func (r *round) skip(ctx context.Context) error {
	oldest, err := r.c.service.Oldest(ctx)
	if err != nil {
		return err
	}
	last, _ := r.c.service.Latest()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read >= oldest && r.read <= last { // it is not that: try again
		return nil
	}
	r.c.log.Warn("webhook missed events that are no longer kept", "webhook", r.hook, "after", r.read, "oldest", oldest)
	r.read, r.moved = oldest, true
	return nil
}

// take puts an event into the lane of its stage, waiting for room; false when
// the round ends.
func (r *round) take(ctx context.Context, e stage.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.hook.wants(e) && (r.held >= window || r.behind >= maxBehind) && ctx.Err() == nil {
		r.room.Wait()
	}
	if ctx.Err() != nil {
		return false
	}
	r.read, r.moved, r.newest = e.No, true, e.At
	if !r.hook.wants(e) {
		return true
	}
	l := r.lanes[e.Stage]
	switch {
	case l == nil:
		r.held++
		r.start(ctx, &lane{stage: e.Stage, queue: []stage.Event{e}})
	case !l.behind: // one that is reads it when its turn comes
		r.held++
		l.queue = append(l.queue, e)
	}
	return true
}

// cursor is what is to be remembered now.
func (r *round) cursor() cursor {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moved = false
	at := cursor{Hook: r.hook.ARN.String(), Read: r.read, Behind: map[string]int64{}}
	for arn, l := range r.lanes {
		switch {
		case l.behind:
			at.Behind[arn.String()] = l.settled()
		case len(l.queue) > 0:
			at.Read = min(at.Read, l.queue[0].No-1)
		}
	}
	return at
}

// keepSaving saves the cursor now and then, if it has moved.
func (r *round) keepSaving(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(saveEvery):
		}
		r.mu.Lock()
		moved := r.moved
		r.mu.Unlock()
		if !moved {
			continue
		}
		if err := r.save(ctx); err != nil && ctx.Err() == nil {
			r.c.log.Error("the cursor of a webhook cannot be saved", "webhook", r.hook, "error", err)
			r.cancel() // the round begins anew, or the hook is gone
			return
		}
	}
}

func (r *round) save(ctx context.Context) error {
	at := r.cursor()
	return r.c.inTurn(ctx, func(tx stage.Tx) error {
		if _, err := readCursor(tx, r.hook.ARN); err != nil {
			return err // the hook was deleted, or everything forgotten
		}
		return putCursor(tx, r.hook.ARN, at)
	})
}
