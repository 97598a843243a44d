package stage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

// sessionOf has n people on a stage, one after another, until the session has ended.
func (w *world) sessionOf(arn stage.ARN, n int) stage.Entry {
	w.t.Helper()
	var last stage.Entry
	for i := range n {
		last = w.join(arn, fmt.Sprintf("user %d", i))
		w.record(last, stage.PublishStarted, stage.PublishStopped, stage.Left)
	}
	w.pass(2 * linger)
	w.check(w.Sweep(w.t.Context()))
	return last
}

func TestHistoryThatIsOldEnoughIsRemovedAndAnsweredLikeTheUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn, other := w.stage(), w.stage()
	live := w.join(other, "stays") // older than everything else, and live
	gone := w.sessionOf(arn, 150)
	w.pass(60 * 24 * time.Hour)
	kept := w.sessionOf(arn, 2)
	r, err := w.RemoveHistory(t.Context(), stage.Bygone{Ended: w.clock().Add(-60 * 24 * time.Hour)})
	w.check(err)
	if r.Sessions != 1 || r.Rows < 150*6 {
		t.Errorf("removed %+v", r)
	}
	list, _, err := w.Sessions(t.Context(), w.caller, arn, stage.Page{Limit: 10})
	w.check(err)
	if len(list) != 1 || list[0].ID != kept.SessionID {
		t.Errorf("sessions: %+v", list)
	}
	people, _, err := w.Participants(t.Context(), w.caller, stage.Roll{Stage: arn, SessionID: gone.SessionID, Page: stage.Page{Limit: 10}})
	events, _, err2 := w.Events(t.Context(), w.caller, arn, gone.SessionID, gone.ParticipantID, stage.Page{Limit: 10})
	if w.check(errors.Join(err, err2)); len(people)+len(events) != 0 {
		t.Errorf("still listed: %v, %v", people, events)
	}
	_, err = w.Session(t.Context(), w.caller, arn, gone.SessionID)
	_, err2 = w.Participant(t.Context(), w.caller, arn, gone.SessionID, gone.ParticipantID)
	if stage.KindOf(err) != stage.NotFound || stage.KindOf(err2) != stage.NotFound {
		t.Errorf("read: %v, %v", err, err2)
	}
	people, _, err = w.Participants(t.Context(), w.caller, stage.Roll{Stage: other, SessionID: live.SessionID, Page: stage.Page{Limit: 10}})
	if w.check(err); len(people) != 1 || !people[0].Connected {
		t.Errorf("the live session has %v", people)
	}
	again, err := w.RemoveHistory(t.Context(), stage.Bygone{Ended: w.clock().Add(-60 * 24 * time.Hour)})
	if w.check(err); again != (stage.Removed{}) {
		t.Errorf("and then %+v", again)
	}
}

func TestTheFeedBeginsAfterWhatWasRemovedAndANewReaderBeginsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	w.sessionOf(arn, 3)
	last, _ := w.Latest()
	w.pass(48 * time.Hour)
	w.sessionOf(arn, 1)
	_, err := w.RemoveHistory(t.Context(), stage.Bygone{Ended: w.clock().Add(-24 * time.Hour)})
	w.check(err)
	oldest, err := w.Oldest(t.Context())
	if w.check(err); oldest != last {
		t.Errorf("the feed begins after %d, not %d", oldest, last)
	}
	for _, after := range []int64{0, oldest - 1} {
		for _, err := range w.Feed(t.Context(), after) {
			if !errors.Is(err, stage.ErrFeedBehind) {
				t.Errorf("a reader at %d got %v", after, err)
			}
			break
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	end, _ := w.Latest()
	next := oldest + 1
	for e, err := range w.Feed(ctx, oldest) {
		if w.check(err); e.No != next {
			t.Errorf("event %d instead of %d", e.No, next)
		}
		if next++; next > end {
			stop()
		}
	}
}

func TestHistoryOfADeletedStageIsRemovedWhateverIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn, kept := w.stage(), w.stage()
	w.sessionOf(arn, 2)
	w.sessionOf(kept, 2)
	w.check(w.DeleteStage(t.Context(), w.caller, arn))
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {25 * time.Hour, 1}, {25 * time.Hour, 0}} {
		w.pass(step.after)
		r, err := w.RemoveHistory(t.Context(), stage.Bygone{Deleted: w.clock().Add(-24 * time.Hour)})
		if w.check(err); r.Sessions != step.want {
			t.Errorf("after %v more: %+v", step.after, r)
		}
	}
	w.check(w.store.View(t.Context(), func(tx stage.Tx) error {
		all, err := tx.Sessions(stage.SessionQuery{All: true, Limit: 10})
		if len(all) != 1 || all[0].Stage != kept {
			t.Errorf("sessions are left: %+v", all)
		}
		return err
	}))
}

const secretUser = "erika.mustermann@example.org"

func TestAnErasedUserIsInNoAnswerAndInNoByteOfTheDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "facts.db")
	w := newWorldWith(t, path, stage.Quotas{})
	ofUser := func(arn stage.ARN) stage.Entry {
		issued, err := w.CreateToken(t.Context(), w.caller, arn, stage.TokenRequest{
			UserID: secretUser, Attributes: map[string]string{"mail": secretUser, "x": strings.Repeat("long ", 150) + secretUser}})
		w.check(err)
		return w.enter(issued.JWT)
	}
	arn, deleted := w.stage(), w.stage()
	erased := map[string]bool{}
	var session stage.Entry
	for i := range 400 { // pages split, rows move, user ids on both sides of this one
		for _, one := range []stage.ARN{arn, deleted} {
			var e stage.Entry
			if i%10 == 3 {
				e = ofUser(one)
			} else {
				e = w.join(one, fmt.Sprintf("%c%d.someone@example.org", 'a'+i%26, i))
			}
			if one == arn {
				session = e
			}
			w.record(e, stage.PublishStarted, stage.Left)
			erased[e.ParticipantID] = i%10 == 3
		}
		if i == 250 {
			w.pass(2 * linger) // several sessions
		}
	}
	w.check(w.DeleteStage(t.Context(), w.caller, deleted))
	if !inFiles(t, path, secretUser) {
		t.Fatal("the user id is not in the files to begin with")
	}
	before, _ := w.Latest()
	done, err := w.Erase(t.Context(), w.caller, stage.Erasure{UserID: secretUser})
	w.check(err)
	if done.Participants != 80 || done.Sessions != 4 {
		t.Errorf("erased %+v", done)
	}
	if inFiles(t, path, secretUser) {
		t.Error("the user id is still in the files")
	}
	if after, _ := w.Latest(); after != before {
		t.Errorf("events were %d and are %d", before, after)
	}
	user := secretUser
	found, _, err := w.Participants(t.Context(), w.caller, stage.Roll{Stage: arn, SessionID: session.SessionID, UserID: &user, Page: stage.Page{Limit: 10}})
	if w.check(err); len(found) != 0 {
		t.Errorf("found by the user id: %+v", found)
	}
	var all []stage.Participant
	for next, more := int64(0), true; more; more = next != 0 {
		var page []stage.Participant
		page, next, err = w.Participants(t.Context(), w.caller, stage.Roll{Stage: session.Stage, SessionID: session.SessionID, Page: stage.Page{After: next, Limit: 100}})
		w.check(err)
		all = append(all, page...)
	}
	for _, p := range all {
		if (p.UserID == "") != erased[p.ID] || !p.Published {
			t.Errorf("%+v", p)
		}
	}
}

// inFiles looks for a text in the database and what is beside it.
func inFiles(t *testing.T, path, text string) bool {
	t.Helper()
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) == 0 {
		t.Fatal("no files", err)
	}
	found := false
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte(text)); n > 0 {
			t.Logf("%s has it %d times", filepath.Base(name), n)
			found = true
		}
	}
	return found
}

func TestWhoIsConnectedOrHasAnIngestConfigurationIsNotErased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	e := w.join(arn, "ann")
	if _, err := w.Erase(t.Context(), w.caller, stage.Erasure{UserID: "ann"}); stage.KindOf(err) != stage.Conflict || !strings.Contains(err.Error(), e.ParticipantID) {
		t.Errorf("while connected: %v", err)
	}
	w.record(e, stage.Left)
	ingest, err := w.CreateIngestConfiguration(t.Context(), w.caller, stage.NewIngestConfiguration{UserID: "ann", Protocol: stage.IngestRTMPS})
	w.check(err)
	if _, err := w.Erase(t.Context(), w.caller, stage.Erasure{UserID: "ann"}); stage.KindOf(err) != stage.Conflict || !strings.Contains(err.Error(), ingest.ARN.String()) {
		t.Errorf("with an ingest configuration: %v", err)
	}
	elsewhere := w.caller
	elsewhere.Region = "ap-south-1"
	if _, err := w.Erase(t.Context(), elsewhere, stage.Erasure{UserID: "ann"}); stage.KindOf(err) != stage.Conflict || !strings.Contains(err.Error(), ingest.ARN.String()) {
		t.Errorf("with an ingest configuration in another region: %v", err)
	}
	w.check(w.DeleteIngestConfiguration(t.Context(), w.caller, ingest.ARN, false))
	stranger := stage.Caller{Account: "999999999999", Region: w.caller.Region}
	if done, err := w.Erase(t.Context(), stranger, stage.Erasure{UserID: "ann"}); err != nil || done != (stage.Erased{}) {
		t.Errorf("by a stranger: %+v, %v", done, err)
	}
	if _, err := w.Erase(t.Context(), stranger, stage.Erasure{UserID: "ann", Stage: arn}); stage.KindOf(err) != stage.Denied {
		t.Errorf("of a stage by a stranger: %v", err)
	}
	done, err := w.Erase(t.Context(), w.caller, stage.Erasure{UserID: "ann", Stage: arn})
	if w.check(err); done != (stage.Erased{Sessions: 1, Participants: 1}) {
		t.Errorf("at last: %+v", done)
	}
}
