package hook

import (
	"context"
	"crypto/rand"
	"errors"

	"callboard/internal/stage"
)

// Resource types of what is remembered, as they stand in an ARN.
const (
	typeHook   = "webhook"
	typeCursor = "webhook-cursor"
	typeDead   = "webhook-letter"    // an event that was given up
	typeOwed   = "webhook-delivery"  // an event that is to be delivered once more
	typeTurn   = "webhook-deliverer" // which process delivers
)

// Create makes a hook that gets what happens from now on. The secret that signs
// is given back this once.
func (c *Courier) Create(ctx context.Context, who stage.Caller, n NewHook) (Hook, string, error) {
	secret, err := secretOr(n.Secret)
	if err != nil {
		return Hook{}, "", err
	}
	h := Hook{ARN: ARN(who, newID()), Name: n.Name, URL: n.URL, Events: n.Events, Stages: n.Stages, secrets: []string{secret}}
	if err := h.check(c.guard); err != nil {
		return Hook{}, "", err
	}
	from, _ := c.service.Latest()
	err = c.store.Update(ctx, func(tx stage.Tx) error {
		n, err := tx.CountDocuments(typeHook, who.Account, who.Region, maxHooks)
		if err != nil {
			return err
		}
		if n >= maxHooks {
			return refuse(stage.Quota, "Account %s has %d webhooks in region %s; the limit is %d", who.Account, n, who.Region, maxHooks)
		}
		return putNew(tx, &h, from)
	})
	if err != nil {
		return Hook{}, "", err
	}
	c.wake()
	return h, secret, nil
}

// putNew stores a hook that is not there yet, and its cursor.
func putNew(tx stage.Tx, h *Hook, from int64) error {
	d, err := h.document()
	if err != nil {
		return err
	}
	if err := tx.PutDocument(&d); err != nil {
		return err
	}
	h.Created, h.version = d.Created, d.Version
	return putCursor(tx, h.ARN, cursor{Hook: h.ARN.String(), Read: from})
}

// ARN names the hook of an id in the caller's account and region.
func ARN(who stage.Caller, id string) stage.ARN {
	return stage.ARN{Region: who.Region, Account: who.Account, Type: typeHook, ID: id}
}

// newID gives 12 letters and digits.
func newID() string { return rand.Text()[:12] }

// Hook reads one of the caller's hooks.
func (c *Courier) Hook(ctx context.Context, who stage.Caller, id string) (h Hook, err error) {
	err = c.store.View(ctx, func(tx stage.Tx) error {
		h, err = read(tx, who, id)
		return err
	})
	return h, err
}

func read(tx stage.Tx, who stage.Caller, id string) (Hook, error) {
	d, err := tx.Document(ARN(who, id))
	if errors.Is(err, stage.ErrNoRow) {
		return Hook{}, refuse(stage.NotFound, "Webhook %.64q does not exist in region %s", id, who.Region)
	}
	if err != nil {
		return Hook{}, err
	}
	return hookOf(d)
}

// Hooks lists the caller's hooks in order of creation; next is 0 on the last page.
func (c *Courier) Hooks(ctx context.Context, who stage.Caller, p stage.Page) (list []Hook, next int64, err error) {
	err = c.store.View(ctx, func(tx stage.Tx) error {
		docs, err := tx.Documents(stage.DocumentQuery{Type: typeHook, Account: who.Account, Region: who.Region, After: p.After, Limit: p.Limit + 1})
		if err != nil {
			return err
		}
		if len(docs) > p.Limit {
			docs = docs[:p.Limit]
			next = docs[p.Limit-1].No
		}
		for _, d := range docs {
			h, err := hookOf(d)
			if err != nil {
				return err
			}
			list = append(list, h)
		}
		return nil
	})
	return list, next, err
}

// Change changes a hook. The secret is what was made or named, "" if none was.
func (c *Courier) Change(ctx context.Context, who stage.Caller, id string, ch Change) (h Hook, secret string, err error) {
	if ch.Secret != nil { // made outside of the transaction, and only once
		if secret, err = secretOr(*ch.Secret); err != nil {
			return Hook{}, "", err
		}
		ch.Secret = &secret
	}
	err = c.store.Update(ctx, func(tx stage.Tx) error {
		if h, err = read(tx, who, id); err != nil {
			return err
		}
		if h.Configured {
			return errConfigured(h)
		}
		if err := h.apply(ch); err != nil {
			return err
		}
		if err := h.check(c.guard); err != nil {
			return err
		}
		return put(tx, &h)
	})
	if err != nil {
		return Hook{}, "", err
	}
	c.wake()
	return h, secret, nil
}

func errConfigured(h Hook) error {
	return refuse(stage.Conflict, "Webhook %s is one of the server's configuration, which alone changes it", h.ARN.ID)
}

// put replaces a hook that was read in the same transaction.
func put(tx stage.Tx, h *Hook) error {
	old, err := tx.Document(h.ARN)
	if err != nil {
		return err
	}
	d, err := h.document()
	if err != nil {
		return err
	}
	d.No, d.Version, d.Tags = old.No, old.Version, old.Tags
	if err := tx.PutDocument(&d); err != nil {
		return err
	}
	h.version = d.Version
	return nil
}

// Delete removes a hook and all that it is still owed.
func (c *Courier) Delete(ctx context.Context, who stage.Caller, id string) error {
	h, err := c.Hook(ctx, who, id)
	if err != nil {
		return err
	}
	if h.Configured {
		return errConfigured(h)
	}
	defer c.wake()
	return c.remove(ctx, h.ARN)
}

func (c *Courier) remove(ctx context.Context, arn stage.ARN) error {
	err := c.store.Update(ctx, func(tx stage.Tx) error { return drop(tx, arn) })
	for _, typ := range []string{typeOwed, typeDead} {
		for n := letterBatch; n == letterBatch && err == nil; {
			err = c.store.Update(ctx, func(tx stage.Tx) error {
				docs, err := tx.Documents(lettersOf(arn, typ, 0, letterBatch))
				n = len(docs)
				for _, d := range docs {
					if err := tx.DeleteDocument(d.ARN); err != nil {
						return err
					}
				}
				return err
			})
		}
	}
	return err
}

// drop removes a hook and its cursor; nobody delivers to it from then on.
func drop(tx stage.Tx, arn stage.ARN) error {
	for _, one := range []stage.ARN{cursorARN(arn), arn} {
		if err := tx.DeleteDocument(one); err != nil && !errors.Is(err, stage.ErrNoRow) {
			return err
		}
	}
	return nil
}
