package live

import (
	"context"
	"time"

	"callboard/internal/sfu"
)

// Receiver is the peer by which a participant receives: one of this process's
// engine, or, through [Others], one of the process that holds the publisher.
type Receiver interface {
	peer
	// Start lets media flow. It is called when all is on record that must be
	// known before.
	Start()
	// Choose and View are as of [sfu.Subscription].
	Choose(context.Context, sfu.Change) error
	View(context.Context) (sfu.View, error)
}

// reception is a subscription of this process's engine that goes on with
// whatever its publisher publishes. It belongs to one goroutine.
type reception struct {
	*sfu.Subscription
	publisher *person
	source    *sfu.Publication // attached to; nil while the publisher does not publish
	post      func(func())     // to the goroutine that it belongs to
	end       func(error)      // ends it; called by that goroutine
	patience  time.Duration    // how long it waits for the publisher to publish again

	over  bool
	waits int         // how often it has waited for the publisher
	hold  *time.Timer // ends the latest wait
}

// Choose implements [Receiver].
func (r *reception) Choose(_ context.Context, c sfu.Change) error { return r.Subscription.Choose(c) }

// View implements [Receiver].
func (r *reception) View(context.Context) (sfu.View, error) { return r.Subscription.View(), nil }

// begin follows the publisher, who may have changed its mind meanwhile.
func (r *reception) begin() {
	r.publisher.follow(r)
	r.follow()
}

// follow makes the subscription agree with what the publisher does now.
func (r *reception) follow() {
	if r.over {
		return
	}
	source, gone := r.publisher.source()
	switch {
	case gone:
		r.end(nil)
	case source == r.source:
	case source == nil:
		r.source = nil
		r.Detach()
		r.holdOn()
	default:
		r.stopHolding()
		r.source = source
		if err := r.Attach(source); err != nil {
			r.end(err)
		}
	}
}

// holdOn ends the subscription if the publisher does not publish again soon.
func (r *reception) holdOn() {
	r.waits++
	wait := r.waits
	r.hold = time.AfterFunc(r.patience, func() {
		r.post(func() {
			if !r.over && r.source == nil && r.waits == wait {
				r.end(nil)
			}
		})
	})
}

func (r *reception) stopHolding() {
	if r.hold != nil {
		r.hold.Stop()
		r.hold = nil
	}
}

// Close ends the peer and follows nobody any more.
func (r *reception) Close() {
	r.over = true
	r.stopHolding()
	r.publisher.unfollow(r)
	r.Subscription.Close()
}
