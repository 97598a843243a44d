package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"callboard/internal/stage"
)

// Letter is an event that was given up: refused for too long. It names nobody
// but by participant id, so nothing of it needs to be erased.
type Letter struct {
	Event    stage.Event
	Attempts int       // how often it was tried
	Reason   string    // what the last attempt ended with
	Since    time.Time // when it was given up
}

const letterBatch = 200

// letterARN names the letter of a hook about an event.
func letterARN(hook stage.ARN, typ string, no int64) stage.ARN {
	return stage.ARN{Region: hook.Region, Account: hook.Account, Type: typ, ID: fmt.Sprintf("%s-%d", hook.ID, no)}
}

// lettersOf asks for the letters of a hook in the order in which they were stored.
func lettersOf(hook stage.ARN, typ string, after int64, limit int) stage.DocumentQuery {
	return stage.DocumentQuery{Type: typ, Account: hook.Account, Region: hook.Region, Link: hook, After: after, Limit: limit}
}

// putLetter stores a letter unless it is there. It counts the letters it stored.
func putLetter(tx stage.Tx, hook stage.ARN, typ string, l Letter) (n int, err error) {
	arn := letterARN(hook, typ, l.Event.No)
	if _, err := tx.Document(arn); !errors.Is(err, stage.ErrNoRow) {
		return 0, err
	}
	body, err := json.Marshal(l)
	if err != nil {
		return 0, err
	}
	return 1, tx.PutDocument(&stage.Document{ARN: arn, Body: body, Links: []stage.ARN{hook}})
}

func letterOf(d stage.Document) (l Letter, err error) {
	err = json.Unmarshal(d.Body, &l)
	return l, err
}

// Letters lists the events that were given up for one of the caller's hooks, in
// the order in which that happened; next is 0 on the last page.
func (c *Courier) Letters(ctx context.Context, who stage.Caller, id string, p stage.Page) (list []Letter, next int64, err error) {
	err = c.store.View(ctx, func(tx stage.Tx) error {
		h, err := read(tx, who, id)
		if err != nil {
			return err
		}
		docs, err := tx.Documents(lettersOf(h.ARN, typeDead, p.After, p.Limit+1))
		if err != nil {
			return err
		}
		if len(docs) > p.Limit {
			docs = docs[:p.Limit]
			next = docs[p.Limit-1].No
		}
		for _, d := range docs {
			l, err := letterOf(d)
			if err != nil {
				return err
			}
			list = append(list, l)
		}
		return nil
	})
	return list, next, err
}

// Again says what is to be delivered once more; one member is set.
type Again struct {
	Events  []int64   // by number
	Since   time.Time // what happened from then on and was read already
	Letters bool      // all that was given up
}

const (
	// maxNamed bounds the events that can be named, maxAgain those of a time.
	maxNamed = 1000
	maxAgain = 10_000
)

// Redeliver has events delivered to a hook once more, beside those that come,
// and tells how many. They are delivered one after another in the order of
// their numbers, but not in order with those that come.
func (c *Courier) Redeliver(ctx context.Context, who stage.Caller, id string, a Again) (n int, err error) {
	h, err := c.Hook(ctx, who, id)
	if err != nil {
		return 0, err
	}
	defer c.wake()
	if a.Letters {
		return c.revive(ctx, h)
	}
	var events []stage.Event
	if a.Since.IsZero() {
		events, err = c.named(ctx, h, a.Events)
	} else {
		events, err = c.since(ctx, h, a.Since)
	}
	for len(events) > 0 && err == nil {
		some := events[:min(len(events), letterBatch)]
		events = events[len(some):]
		err = c.store.Update(ctx, func(tx stage.Tx) error {
			for _, e := range some {
				m, err := putLetter(tx, h.ARN, typeOwed, Letter{Event: e})
				if err != nil {
					return err
				}
				n += m
			}
			return nil
		})
	}
	return n, err
}

// revive takes all dead letters of a hook for delivery.
func (c *Courier) revive(ctx context.Context, h Hook) (n int, err error) {
	for more := true; more && err == nil; {
		err = c.store.Update(ctx, func(tx stage.Tx) error {
			docs, err := tx.Documents(lettersOf(h.ARN, typeDead, 0, letterBatch))
			more = len(docs) == letterBatch
			for _, d := range docs {
				l, err := letterOf(d)
				if err != nil {
					return err
				}
				if err := tx.DeleteDocument(d.ARN); err != nil {
					return err
				}
				m, err := putLetter(tx, h.ARN, typeOwed, Letter{Event: l.Event})
				if err != nil {
					return err
				}
				n += m
			}
			return err
		})
	}
	return n, err
}

// named reads events by their numbers.
func (c *Courier) named(ctx context.Context, h Hook, numbers []int64) (list []stage.Event, err error) {
	if len(numbers) == 0 || len(numbers) > maxNamed {
		return nil, refuse(stage.Invalid, "from 1 to %d events can be named, or a time, or the dead letters", maxNamed)
	}
	err = c.store.View(ctx, func(tx stage.Tx) error {
		for _, no := range numbers {
			found, err := tx.Feed(no-1, 1)
			if err != nil {
				return err
			}
			if len(found) == 0 || found[0].No != no || !h.wants(found[0]) {
				return refuse(stage.NotFound, "Event %d is not there, or not one that webhook %s gets", no, h.ARN.ID)
			}
			list = append(list, found[0])
		}
		return nil
	})
	return list, err
}

// since reads the events of a hook from a time on.
func (c *Courier) since(ctx context.Context, h Hook, at time.Time) (list []stage.Event, err error) {
	last, _ := c.service.Latest()
	after, err := c.before(ctx, at, last)
	for n := letterBatch; n == letterBatch && after < last && err == nil; {
		err = c.store.View(ctx, func(tx stage.Tx) error {
			page, err := tx.Feed(after, letterBatch)
			n = len(page)
			for _, e := range page {
				if after = e.No; h.wants(e) && !e.At.Before(at) && e.No <= last {
					list = append(list, e)
				}
			}
			return err
		})
		if len(list) > maxAgain {
			return nil, refuse(stage.Invalid, "more than %d events happened since then; name a later time", maxAgain)
		}
	}
	return list, err
}

// before finds, by halving, the position before the first event of a time or
// later. Events are in the order of time but for what a clock may be set back.
func (c *Courier) before(ctx context.Context, at time.Time, last int64) (low int64, err error) {
	const setBack = 2 * time.Minute
	at = at.Add(-setBack)
	err = c.store.View(ctx, func(tx stage.Tx) error {
		for high := last; low < high; {
			middle := low + (high-low)/2
			found, err := tx.Feed(middle, 1)
			if err != nil {
				return err
			}
			if len(found) > 0 && found[0].At.Before(at) {
				low = found[0].No
			} else {
				high = middle
			}
		}
		return nil
	})
	return low, err
}
