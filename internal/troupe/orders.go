package troupe

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"callboard/internal/stage"
)

// again is the pause before a process that does not answer is asked once more.
const again = 300 * time.Millisecond

// Disconnect implements [stage.Floor], wherever the participant is.
func (t *Troupe) Disconnect(ctx context.Context, arn stage.ARN, participantID string, reason stage.Reason, text string) error {
	if err := t.floor.Disconnect(ctx, arn, participantID, reason, text); err != nil {
		return err
	}
	home, err := t.Register.Home(ctx, arn, participantID)
	if errors.Is(err, stage.ErrNoRow) || err == nil && home.ID == t.Register.Process() {
		return nil
	}
	if err != nil {
		return err
	}
	return t.insist(ctx, home, "/peer/disconnect", url.Values{
		"stage": {arn.String()}, "participant": {participantID}, "reason": {string(reason)}, "text": {text},
	})
}

// Clear implements [stage.Floor], in all processes.
func (t *Troupe) Clear(ctx context.Context, arn stage.ARN, reason stage.Reason) error {
	all, err := t.Register.Processes(ctx)
	if err != nil {
		return err
	}
	errs := make(chan error, len(all)+1)
	var asked sync.WaitGroup
	asked.Go(func() { errs <- t.floor.Clear(ctx, arn, reason) })
	for _, p := range all {
		if p.ID != t.Register.Process() {
			asked.Go(func() {
				errs <- t.insist(ctx, p, "/peer/clear", url.Values{"stage": {arn.String()}, "reason": {string(reason)}})
			})
		}
	}
	asked.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	return err
}

// insist orders until it is done, or the process is dead: then its participants
// leave by the hand of whoever finds out.
func (t *Troupe) insist(ctx context.Context, to stage.Process, path string, q url.Values) error {
	for {
		err := t.order(ctx, to, path, q)
		if err == nil {
			return nil
		}
		alive, dead := t.alive(ctx, to.ID)
		if dead == nil && !alive {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, dead)
		case <-time.After(again):
		}
	}
}

func (t *Troupe) alive(ctx context.Context, id string) (bool, error) {
	all, err := t.Register.Processes(ctx)
	for _, p := range all {
		if p.ID == id {
			return true, err
		}
	}
	return false, err
}
