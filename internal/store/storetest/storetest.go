package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"callboard/internal/stage"
)

// Run examines the stores that open gives. Each call of open must give an
// empty store, which lives until the test it was opened for has ended.
func Run(t *testing.T, open func(t *testing.T) stage.Store) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, opener)
	}{
		{"documents", documents},
		{"secrets", secrets},
		{"passes", passes},
		{"processes", processes},
		{"seats", seats},
		{"sessions", sessions},
		{"participants", participants},
		{"participant lists", participantLists},
		{"rolls", rolls},
		{"walks", walks},
		{"events", events},
		{"histories", histories},
		{"the end of the feed", latest},
		{"updates", updates},
		{"views", views},
		{"time", clock},
		{"forgetting", forgetting},
		{"history", history},
		{"exchanges", exchanges},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.run(t, open)
		})
	}
}

type opener func(t *testing.T) stage.Store

// The fn of an update runs on a goroutine of the store, where a test must not
// be ended; so these take functions that return what is wrong.

func update(t *testing.T, s stage.Store, fn func(stage.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func view(t *testing.T, s stage.Store, fn func(stage.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// read gives what fn reads in a view of its own.
func read[T any](t *testing.T, s stage.Store, fn func(stage.Tx) (T, error)) (v T) {
	t.Helper()
	view(t, s, func(tx stage.Tx) (err error) {
		v, err = fn(tx)
		return err
	})
	return v
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func stageARN(id string) stage.ARN {
	return stage.ARN{Region: "eu-west-1", Account: "123456789012", Type: stage.TypeStage, ID: id}
}

// at is a time of which every digit that must be kept is different.
func at(second int) time.Time {
	return time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC).Add(time.Duration(second) * time.Second)
}

func participantID(n int) string { return fmt.Sprintf("p%011d", n) }

// openSession puts a live session on a stage and gives its number.
func openSession(t *testing.T, s stage.Store, arn stage.ARN, id string) int64 {
	t.Helper()
	session := stage.Session{Stage: arn, ID: id, Started: at(0), NextSeq: 1}
	update(t, s, func(tx stage.Tx) error { return tx.PutSession(&session) })
	return session.No
}

// numbers gives the No, or whatever of gives, of each of a list.
func numbers[T any](list []T, of func(T) int64) []int64 {
	nos := make([]int64, len(list))
	for i, v := range list {
		nos[i] = of(v)
	}
	return nos
}
