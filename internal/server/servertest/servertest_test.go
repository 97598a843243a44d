package servertest

import (
	"context"
	"runtime/pprof"
	"strings"
	"testing"
)

func TestAGoroutineThatAServerLeavesBehindIsFound(t *testing.T) {
	t.Parallel()
	end, ended := make(chan struct{}), make(chan struct{})
	pprof.Do(t.Context(), pprof.Labels("servertest", "leaky"), func(context.Context) {
		go func() {
			defer close(ended)
			<-end
		}()
	})
	if left := goroutines("leaky"); !strings.Contains(left, "TestAGoroutineThatAServerLeavesBehindIsFound") {
		t.Errorf("found %q", left)
	}
	close(end)
	<-ended
	if left := goroutines("tight"); left != "" {
		t.Errorf("found %q for another server", left)
	}
}
