package hook

import (
	"context"
	"time"

	"callboard/internal/stage"
)

// redeliver carries the events that were asked for once more, one after
// another. One that is refused for too long is a dead letter again.
func (r *round) redeliver(ctx context.Context) {
	for tries := 0; ctx.Err() == nil; {
		l, ok, err := r.owed(ctx)
		if err != nil && ctx.Err() == nil {
			r.c.log.Error("deliveries that were asked for cannot be read", "webhook", r.hook, "error", err)
		}
		if !ok {
			pause(ctx, look)
			continue
		}
		o := r.attempt(ctx, l.Event)
		switch tries++; {
		case ctx.Err() != nil && !o.delivered:
			return
		case o.delivered, tries >= maxAgainAttempts:
			r.finish(ctx, l.Event, tries, o)
			tries = 0
		default:
			pause(ctx, max(backoff(tries), min(o.after, time.Minute)))
		}
	}
}

// maxAgainAttempts are made of an event that was asked for once more.
const maxAgainAttempts = 10

func (r *round) owed(ctx context.Context) (l Letter, ok bool, err error) {
	err = r.c.store.View(ctx, func(tx stage.Tx) error {
		docs, err := tx.Documents(lettersOf(r.hook.ARN, typeOwed, 0, 1))
		if err != nil || len(docs) == 0 {
			return err
		}
		ok = true
		l, err = letterOf(docs[0])
		return err
	})
	return l, ok && err == nil, err
}

// finish takes an event off what is owed.
func (r *round) finish(ctx context.Context, e stage.Event, tries int, o outcome) {
	err := r.c.inTurn(context.WithoutCancel(ctx), func(tx stage.Tx) error {
		if err := tx.DeleteDocument(letterARN(r.hook.ARN, typeOwed, e.No)); err != nil || o.delivered {
			return err
		}
		_, err := putLetter(tx, r.hook.ARN, typeDead, Letter{Event: e, Attempts: tries, Reason: o.reason, Since: tx.Now()})
		return err
	})
	if err != nil {
		r.c.log.Error("a delivery that was asked for cannot be settled", "webhook", r.hook, "event", e.No, "error", err)
		pause(ctx, lastBackoff)
	} else if !o.delivered {
		r.c.tally.bury(r.hook.ARN)
	}
}
