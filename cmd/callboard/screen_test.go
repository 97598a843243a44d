package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestWatchGoesOnAfterAFailedRequest(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	results := []error{nil, errors.New("it is down"), errNoLiveSession, nil}
	round := 0
	var out bytes.Buffer
	err := watch(ctx, &out, time.Millisecond, func(w io.Writer) error {
		round++
		if round > len(results) {
			interrupt()
			return ctx.Err()
		}
		if err := results[round-1]; err != nil {
			fmt.Fprint(w, "half a pic")
			return err
		}
		fmt.Fprintf(w, "picture %d\n", round)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	const want = "picture 1\n\npicture 1\nNot up to date: it is down\n\nNobody is there now; waiting for a live session.\n\npicture 4\n\n"
	if out.String() != want {
		t.Errorf("shown is\n%s\nnot\n%s", &out, want)
	}
}

func TestWatchThatCannotBeginEnds(t *testing.T) {
	t.Parallel()
	down := errors.New("it is down")
	err := watch(t.Context(), io.Discard, time.Hour, func(io.Writer) error { return down })
	if !errors.Is(err, down) {
		t.Errorf("it ends with %v", err)
	}
}
