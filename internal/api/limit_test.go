package api

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestALimitEndsAsAContextWithADeadlineDoes(t *testing.T) {
	t.Parallel()
	soon := func() time.Time { return time.Now().Add(time.Hour) }
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		parent   context.Context
		deadline time.Time
		over     bool
		want     error
	}{
		"there is time":      {context.Background(), soon(), false, nil},
		"the caller is gone": {gone, soon(), false, context.Canceled},
		"it took too long":   {context.Background(), time.Now().Add(-1), false, context.DeadlineExceeded},
		"it is answered":     {context.Background(), soon(), true, context.Canceled},
	} {
		for _, wait := range []bool{false, true} {
			l := &limit{Context: c.parent, deadline: c.deadline}
			if wait {
				l.Done()
			}
			if c.over {
				l.over()
			}
			if err := l.Err(); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			if c.want != nil {
				<-l.Done()
				child, done := context.WithCancel(l)
				<-child.Done()
				done()
			}
			if at, ok := l.Deadline(); !ok || !at.Equal(c.deadline) {
				t.Errorf("%s: deadline %v", name, at)
			}
			l.over()
		}
	}
}
