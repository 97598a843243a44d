package live

import (
	"context"
	"fmt"
	"time"

	"callboard/internal/stage"
)

var errVacated = &stage.Error{Kind: stage.Quota, Message: "The server is being reset; try again in a moment"}

// vacateAgain is how soon those are asked to leave again who were on their way
// in when they were asked first.
const vacateAgain = 5 * time.Millisecond

// Vacate has everybody leave, whatever the stage, as if all stages had been
// deleted; runs meanwhile on the empty floor, to which nobody is let in until
// it returns; and gives its error. If somebody is still there when ctx ends,
// meanwhile is not run. Only one call may be under way.
func (f *Floor) Vacate(ctx context.Context, meanwhile func() error) error {
	f.mu.Lock()
	f.vacated = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.vacated = false
		f.mu.Unlock()
	}()
	if err := f.empty(ctx); err != nil {
		return fmt.Errorf("not everybody has left: %w", err)
	}
	f.errors.forget()
	f.mishaps.forget()
	return meanwhile()
}

// empty returns when nobody is on the floor any more. Who was let in before it
// was vacated may sit down only now, so it asks until nobody is there to be asked.
func (f *Floor) empty(ctx context.Context) error {
	again := time.NewTicker(vacateAgain)
	defer again.Stop()
	for {
		err := f.dismiss(ctx, func(key) bool { return true }, func(p *participant) { p.endAll(stage.ReasonStageDeleted, "") })
		if err != nil {
			return err
		}
		f.mu.Lock()
		left := len(f.people)
		f.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
