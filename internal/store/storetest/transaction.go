package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"callboard/internal/stage"
)

var errRefused = errors.New("refused")

func note(tx stage.Tx, participant string) error {
	return tx.AppendEvent(&stage.Event{At: tx.Now(), Stage: stageARN("a"), Session: 1, Participant: participant, Name: stage.Joined})
}

func feed(t *testing.T, s stage.Store) []string {
	t.Helper()
	list := read(t, s, func(tx stage.Tx) ([]stage.Event, error) { return tx.Feed(0, 1000) })
	names := []string{}
	for _, e := range list {
		names = append(names, e.Participant)
	}
	return names
}

// together has updates asked for while another is being run, so that an engine
// that joins updates into one commit is likely to join these, in this order.
func together(t *testing.T, s stage.Store, fns ...func(stage.Tx) error) []error {
	t.Helper()
	running, proceed := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		err := s.Update(t.Context(), func(stage.Tx) error { close(running); <-proceed; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	<-running
	errs := make([]error, len(fns))
	for i, fn := range fns {
		entered := make(chan struct{})
		waiting := watched{t.Context(), sync.OnceFunc(func() { close(entered) })}
		all.Go(func() { errs[i] = s.Update(waiting, fn); waiting.waiting() })
		<-entered
	}
	close(proceed)
	all.Wait()
	return errs
}

// watched is a context that tells when somebody begins to wait for its end: an
// update does that when it stands in line.
type watched struct {
	context.Context
	waiting func()
}

func (w watched) Done() <-chan struct{} {
	w.waiting()
	return w.Context.Done()
}

func updates(t *testing.T, open opener) {
	t.Run("an update that fails leaves nothing and returns its own error", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		err := s.Update(t.Context(), func(tx stage.Tx) error {
			session := stage.Session{Stage: stageARN("a"), ID: "st-1", Started: at(0), NextSeq: 1}
			p := participant(1, 1)
			err := errors.Join(
				tx.PutDocument(&stage.Document{ARN: stageARN("a"), Body: []byte("{}")}),
				tx.PutSecret("s", []byte("x")),
				tx.PutPass(stage.Pass{Stage: stageARN("a"), ParticipantID: "p"}),
				tx.PutSession(&session),
				tx.PutParticipant(&p),
				tx.Beat(),
				note(tx, "p"),
			)
			if err != nil {
				return err
			}
			return errRefused
		})
		if err != errRefused {
			t.Errorf("returned %v", err)
		}
		view(t, s, func(tx stage.Tx) error {
			_, document := tx.Document(stageARN("a"))
			_, secret := tx.Secret("s")
			_, pass := tx.Pass(stageARN("a"), "p")
			_, session := tx.Session(stageARN("a"), "st-1")
			_, participant := tx.Participant(1, participantID(1))
			for name, err := range map[string]error{"document": document, "secret": secret, "pass": pass, "session": session, "participant": participant} {
				if !errors.Is(err, stage.ErrNoRow) {
					t.Errorf("%s: %v", name, err)
				}
			}
			beat, err := tx.LastBeat()
			if !beat.IsZero() {
				t.Errorf("a beat is left: %v", beat)
			}
			return err
		})
	})

	t.Run("updates in one commit do not disturb each other", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		good := func(name string) func(stage.Tx) error { return func(tx stage.Tx) error { return note(tx, name) } }
		errs := together(t, s,
			good("one"),
			func(tx stage.Tx) error { return errors.Join(note(tx, "bad"), errRefused) },
			good("two"),
			func(tx stage.Tx) error { _ = note(tx, "bad"); panic("broken") },
			func(tx stage.Tx) error { return errRefused },
			func(tx stage.Tx) error {
				// What fails in the store fails the update, whether it says so or not.
				d := stage.Document{ARN: stageARN("a"), Body: []byte("{}")}
				tx.PutDocument(&d)
				d.No = 0
				tx.PutDocument(&d)
				return nil
			},
			func(tx stage.Tx) error { _, err := tx.Document(stageARN("a")); return err },
			good("three"),
		)
		for i, wantOK := range []bool{true, false, true, false, false, false, false, true} {
			if (errs[i] == nil) != wantOK {
				t.Errorf("update %d: %v", i, errs[i])
			}
		}
		got := strings.Join(feed(t, s), " ")
		if len(feed(t, s)) != 3 || strings.Contains(got, "bad") {
			t.Errorf("stored: %s", got)
		}
		if err := s.View(t.Context(), func(tx stage.Tx) error { _, err := tx.Document(stageARN("a")); return err }); !errors.Is(err, stage.ErrNoRow) {
			t.Errorf("of the failed one a document is left: %v", err)
		}
	})

	t.Run("a session that many change in one commit is changed by each", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		first := stage.Session{Stage: stageARN("a"), ID: "st-one0000000000", Started: at(1), NextSeq: 1}
		second := stage.Session{Stage: stageARN("b"), ID: "st-two0000000000", Started: at(1), NextSeq: 1}
		update(t, s, func(tx stage.Tx) error { return errors.Join(tx.PutSession(&first), tx.PutSession(&second)) })
		enter := func(tx stage.Tx) error {
			live, err := tx.LiveSession(first.Stage)
			if err != nil {
				return err
			}
			live.Connected++
			live.NextSeq++
			return errors.Join(note(tx, "joined"), tx.PutSession(&live))
		}
		listed := func(want int64) func(stage.Tx) error {
			return func(tx stage.Tx) error {
				list, err := tx.Sessions(stage.SessionQuery{Limit: 10})
				if err == nil && (len(list) != 2 || list[0].Connected != want) {
					err = fmt.Errorf("listed %+v, want %d connected", list, want)
				}
				return err
			}
		}
		refused := func(tx stage.Tx) error {
			return errors.Join(enter(tx), enter(tx), listed(4)(tx), errRefused)
		}
		end := func(tx stage.Tx) error {
			live, err := tx.Session(first.Stage, first.ID)
			if err != nil {
				return err
			}
			live.Ended, live.Connected = at(9), 0
			return tx.PutSession(&live)
		}
		errs := together(t, s, enter, enter, refused, listed(2), enter, func(tx stage.Tx) error { return errors.Join(end(tx), errRefused) }, enter, listed(4), end, enter)
		for i, want := range []error{nil, nil, errRefused, nil, nil, errRefused, nil, nil, nil, stage.ErrNoRow} {
			if !errors.Is(errs[i], want) || want == errRefused && strings.Contains(fmt.Sprint(errs[i]), "listed") {
				t.Errorf("update %d: %v, want %v", i, errs[i], want)
			}
		}
		first.Connected, first.NextSeq, first.Ended = 0, 5, at(9)
		for _, want := range []stage.Session{first, second} {
			equal(t, "stored", read(t, s, func(tx stage.Tx) (stage.Session, error) { return tx.Session(want.Stage, want.ID) }), want)
		}
	})

	t.Run("who was read and is put as it was stays as it is", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		p := stage.Participant{Session: 1, Seq: 1, ID: "ann", UserID: "u", Connected: true, FirstJoin: at(1), Detail: &stage.Detail{Attributes: map[string]string{"a": "b"}, Protocol: stage.ProtocolUnknown}}
		put := func(change func(*stage.Participant)) func(stage.Tx) error {
			return func(tx stage.Tx) error {
				got, err := tx.Participant(1, "ann")
				if errors.Is(err, stage.ErrNoRow) {
					got, err = p, nil
				}
				change(&got)
				return errors.Join(err, tx.PutParticipant(&got), tx.PutParticipant(&got))
			}
		}
		errs := together(t, s, put(func(*stage.Participant) {}), put(func(p *stage.Participant) { p.Connected = false }),
			func(tx stage.Tx) error {
				return errors.Join(put(func(p *stage.Participant) { p.Detail.Attributes["a"] = "bad" })(tx), errRefused)
			},
			put(func(p *stage.Participant) { p.Detail.Protocol = stage.ProtocolWHIP }), put(func(*stage.Participant) {}))
		if err := errors.Join(errs[0], errs[1], errs[3], errs[4]); err != nil || !errors.Is(errs[2], errRefused) {
			t.Error(errs)
		}
		p.Connected, p.Detail.Protocol = false, stage.ProtocolWHIP
		equal(t, "stored", read(t, s, func(tx stage.Tx) (stage.Participant, error) { return tx.Participant(1, "ann") }), p)
	})

	t.Run("a panic is an error of its caller, alone in its commit too", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		err := s.Update(t.Context(), func(tx stage.Tx) error { _ = note(tx, "bad"); panic("broken by a test") })
		if err == nil || !strings.Contains(err.Error(), "broken by a test") {
			t.Errorf("returned %v", err)
		}
		update(t, s, func(tx stage.Tx) error { return note(tx, "good") })
		equal(t, "stored", feed(t, s), []string{"good"})
	})

	t.Run("what an update wrote it can read, and its caller and everybody after it", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		for i := range 50 {
			d := stage.Document{ARN: stageARN(fmt.Sprint(i)), Body: []byte("{}")}
			update(t, s, func(tx stage.Tx) error {
				if err := tx.PutDocument(&d); err != nil {
					return err
				}
				_, err := tx.Document(d.ARN)
				return err
			})
			got := read(t, s, func(tx stage.Tx) (stage.Document, error) { return tx.Document(d.ARN) })
			equal(t, "number", got.No, d.No)
		}
	})

	t.Run("updates are strictly one after another", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		inside, sum := 0, 0
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				err := s.Update(t.Context(), func(stage.Tx) error {
					inside++
					defer func() { inside-- }()
					sum++
					if inside != 1 {
						return fmt.Errorf("%d updates at once", inside)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		equal(t, "updates run", sum, 32)
	})

	t.Run("an update whose caller gave up before it began is not run", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Update(ended, func(tx stage.Tx) error { return note(tx, "bad") }); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		running, proceed := make(chan struct{}), make(chan struct{})
		var other sync.WaitGroup
		other.Go(func() {
			if err := s.Update(t.Context(), func(stage.Tx) error { close(running); <-proceed; return nil }); err != nil {
				t.Error(err)
			}
		})
		<-running
		other.Go(func() { cancel() })
		if err := s.Update(ctx, func(tx stage.Tx) error { return note(tx, "bad") }); !errors.Is(err, context.Canceled) {
			t.Errorf("while waiting: %v", err)
		}
		close(proceed)
		other.Wait()
		equal(t, "stored", feed(t, s), []string{})
	})

	t.Run("an update that has begun is waited for", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Update(ctx, func(tx stage.Tx) error { cancel(); return note(tx, "good") })
		if err != nil {
			t.Errorf("returned %v", err)
		}
		equal(t, "stored", feed(t, s), []string{"good"})
	})

	t.Run("a transaction that is over cannot be used", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		var kept stage.Tx
		update(t, s, func(tx stage.Tx) error { kept = tx; return nil })
		if _, err := kept.Document(stageARN("a")); err == nil || errors.Is(err, stage.ErrNoRow) {
			t.Errorf("reading: %v", err)
		}
		if err := note(kept, "bad"); err == nil {
			t.Error("writing succeeded")
		}
	})
}

func views(t *testing.T, open opener) {
	t.Run("a view must not write", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		if err := s.View(t.Context(), func(tx stage.Tx) error { return note(tx, "bad") }); err == nil {
			t.Error("no error")
		}
		if err := s.View(t.Context(), func(tx stage.Tx) error { _ = note(tx, "bad"); return nil }); err == nil {
			t.Error("no error when fn says nothing")
		}
		update(t, s, func(tx stage.Tx) error { return note(tx, "good") })
		equal(t, "stored", feed(t, s), []string{"good"})
	})

	t.Run("a view returns the error of its function and can be followed by another", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		for range 100 {
			if err := s.View(t.Context(), func(stage.Tx) error { return errRefused }); err != errRefused {
				t.Fatalf("returned %v", err)
			}
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic of a view was swallowed")
				}
			}()
			s.View(t.Context(), func(stage.Tx) error { panic("broken") })
		}()
		equal(t, "stored", feed(t, s), []string{})
	})

	t.Run("a view with an ended context fails", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := s.View(ctx, func(tx stage.Tx) error {
			cancel()
			_, err := tx.Document(stageARN("a"))
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("returned %v", err)
		}
	})

	t.Run("a view is one snapshot, however long others write meanwhile", snapshots(open))
}

// snapshots moves one participant between two states, over and over; no view
// may see it in both, in none, or see the count differ from the rows.
func snapshots(open opener) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		s := open(t)
		session := openSession(t, s, stageARN("a"), "st-1")
		update(t, s, func(tx stage.Tx) error {
			p := participant(session, 1)
			return tx.PutParticipant(&p)
		})
		ctx, stop := context.WithCancel(t.Context())
		var writing sync.WaitGroup
		writing.Go(func() {
			for ctx.Err() == nil {
				err := s.Update(t.Context(), func(tx stage.Tx) error {
					p, err := tx.Participant(session, participantID(1))
					if err != nil {
						return err
					}
					live, err := tx.LiveSession(stageARN("a"))
					if err != nil {
						return err
					}
					p.Connected = !p.Connected
					live.Connected++
					return errors.Join(tx.PutParticipant(&p), tx.PutSession(&live), note(tx, p.ID))
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		defer writing.Wait()
		defer stop()
		for range 200 {
			view(t, s, func(tx stage.Tx) error { return checkSnapshot(tx, session) })
		}
	}
}

func checkSnapshot(tx stage.Tx, session int64) error {
	live, err := tx.LiveSession(stageARN("a"))
	if err != nil {
		return err
	}
	yes, no := true, false
	in, err1 := tx.Participants(stage.ParticipantQuery{Session: session, Connected: &yes, Limit: 5})
	out, err2 := tx.Participants(stage.ParticipantQuery{Session: session, Connected: &no, Limit: 5})
	events, err3 := tx.Feed(0, 100000)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if len(in)+len(out) != 1 || int64(len(events)) != live.Connected {
		return fmt.Errorf("%d connected, %d not; %d changes, %d events", len(in), len(out), live.Connected, len(events))
	}
	return nil
}

func clock(t *testing.T, open opener) {
	t.Run("the time of a transaction is in UTC, in milliseconds, and stands still", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		check := func(tx stage.Tx) error {
			now := tx.Now()
			if now.Location() != time.UTC || now.Nanosecond()%1e6 != 0 || now.IsZero() {
				t.Errorf("now is %v", now)
			}
			if !tx.Now().Equal(now) {
				t.Error("two times in one transaction")
			}
			return nil
		}
		update(t, s, check)
		view(t, s, check)
	})

	t.Run("the time of a later update is not before an earlier one's, nor a later view's", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		var last time.Time
		for range 200 {
			for _, run := range []func(context.Context, func(stage.Tx) error) error{s.Update, s.View} {
				run(t.Context(), func(tx stage.Tx) error {
					if tx.Now().Before(last) {
						t.Errorf("%v came after %v", tx.Now(), last)
					}
					last = tx.Now()
					return nil
				})
			}
		}
	})
}
