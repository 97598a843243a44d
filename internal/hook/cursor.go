package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"callboard/internal/stage"
)

// cursor is how far a hook has been served.
type cursor struct {
	Hook string // ARN

	// Read is the position up to which all that the hook wants was delivered or
	// given up, but for the stages in trouble: each has a position of its own.
	Read   int64
	Behind map[string]int64 `json:",omitempty"` // by the stage's ARN
}

// oldest is the position up to which nothing is owed.
func (c *cursor) oldest() int64 {
	oldest := c.Read
	for _, no := range c.Behind {
		oldest = min(oldest, no)
	}
	return oldest
}

// desk is the account and region of what belongs to no caller: so all cursors are one list.
func desk(typ, id string) stage.ARN {
	return stage.ARN{Region: "global", Account: "0", Type: typ, ID: id}
}

func cursorARN(hook stage.ARN) stage.ARN {
	return desk(typeCursor, hook.Region+"-"+hook.Account+"-"+hook.ID)
}

func putCursor(tx stage.Tx, hook stage.ARN, c cursor) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	d, err := tx.Document(cursorARN(hook))
	if err != nil && !errors.Is(err, stage.ErrNoRow) {
		return err
	}
	d.ARN, d.Body = cursorARN(hook), body
	return tx.PutDocument(&d)
}

func readCursor(tx stage.Tx, hook stage.ARN) (c cursor, err error) {
	d, err := tx.Document(cursorARN(hook))
	if err == nil {
		err = json.Unmarshal(d.Body, &c)
	}
	return c, err
}

// served is a hook and how far it is.
type served struct {
	hook   Hook
	cursor cursor
}

// all reads every hook of every account.
func (c *Courier) all(ctx context.Context) (list []served, err error) {
	err = c.store.View(ctx, func(tx stage.Tx) error {
		list = nil
		for after, n := int64(0), cursorBatch; n == cursorBatch; {
			at := desk(typeCursor, "")
			docs, err := tx.Documents(stage.DocumentQuery{Type: at.Type, Account: at.Account, Region: at.Region, After: after, Limit: cursorBatch})
			if err != nil {
				return err
			}
			n = len(docs)
			for _, d := range docs {
				after = d.No
				one, err := servedBy(tx, d)
				if err != nil {
					return err
				}
				list = append(list, one)
			}
		}
		return nil
	})
	return list, err
}

const cursorBatch = 200

func servedBy(tx stage.Tx, d stage.Document) (one served, err error) {
	if err := json.Unmarshal(d.Body, &one.cursor); err != nil {
		return one, fmt.Errorf("stored cursor %s: %w", d.ARN, err)
	}
	arn, err := stage.ParseARN(one.cursor.Hook)
	if err != nil {
		return one, err
	}
	hook, err := tx.Document(arn)
	if err != nil {
		return one, fmt.Errorf("webhook %s: %w", arn, err)
	}
	one.hook, err = hookOf(hook)
	return one, err
}

// Undelivered gives the time of the oldest event that a hook is still to get;
// false if there is none. What is disabled waits for nothing.
func (c *Courier) Undelivered(ctx context.Context) (at time.Time, waiting bool, err error) {
	list, err := c.all(ctx)
	if err != nil {
		return at, false, err
	}
	last, _ := c.service.Latest()
	from := last
	for _, one := range list {
		if !one.hook.Disabled {
			from = min(from, one.cursor.oldest())
		}
	}
	if from >= last {
		return at, false, nil
	}
	err = c.store.View(ctx, func(tx stage.Tx) error {
		events, err := tx.Feed(from, 1)
		if len(events) > 0 {
			at, waiting = events[0].At, true
		}
		return err
	})
	return at, waiting, err
}

// turn says which process delivers.
type turn struct {
	Owner string
	Until time.Time
}

// turnLength is how long a turn lasts: after that time others take over from a
// process that is no longer heard of.
const turnLength = 20 * time.Second

var errNoTurn = errors.New("another process delivers webhooks now")

func readTurn(tx stage.Tx) (t turn, d stage.Document, err error) {
	d, err = tx.Document(desk(typeTurn, "one"))
	if errors.Is(err, stage.ErrNoRow) {
		return turn{}, stage.Document{ARN: desk(typeTurn, "one")}, nil
	}
	if err == nil {
		err = json.Unmarshal(d.Body, &t)
	}
	return t, d, err
}

// takeTurn begins this process's turn or prolongs it; errNoTurn if it is another's.
func (c *Courier) takeTurn(ctx context.Context) error {
	return c.store.Update(ctx, func(tx stage.Tx) error {
		t, d, err := readTurn(tx)
		if err != nil {
			return err
		}
		if t.Owner != c.self && t.Until.After(tx.Now()) {
			return errNoTurn
		}
		d.Body, err = json.Marshal(turn{Owner: c.self, Until: tx.Now().Add(turnLength)})
		if err != nil {
			return err
		}
		return tx.PutDocument(&d)
	})
}

// leaveTurn lets another process begin at once.
func (c *Courier) leaveTurn(ctx context.Context) error {
	return c.store.Update(ctx, func(tx stage.Tx) error {
		t, d, err := readTurn(tx)
		if err != nil || t.Owner != c.self {
			return err
		}
		return tx.DeleteDocument(d.ARN)
	})
}

// inTurn runs fn in an update if it is this process's turn: who was asleep for
// too long must not write what another one knows better.
func (c *Courier) inTurn(ctx context.Context, fn func(stage.Tx) error) error {
	return c.store.Update(ctx, func(tx stage.Tx) error {
		t, _, err := readTurn(tx)
		if err != nil {
			return err
		}
		if t.Owner != c.self {
			return errNoTurn
		}
		return fn(tx)
	})
}
