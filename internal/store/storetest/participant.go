package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"callboard/internal/stage"
)

// userIDs are names that a store may confuse if it is not careful: with the
// case, with the collation, with the normal form, with wildcards.
var userIDs = []string{
	"",
	" ",
	"a", "A", "á", "a\u0301", "ä", "Ä", "ae", "æ", "ß", "ss", "SS",
	"straße", "STRASSE",
	"ı", "i", "İ", "I",
	"ﬀ", "ff",
	"a ", " a", "a\t", "a\u00a0", "a\u200b",
	"%", "_", "a%", "*", "?", `\`, `'`, `"`, "a'; DROP TABLE participant; --",
	"1", "01", "1.0", "1e0", "0x1", "null", "NULL", "true",
	"日本語", "한국어", "العربية", "🎭", "👩‍👩‍👧", "\u0001", "\ufeff", "\uffff",
	strings.Repeat("😀", 128),
	strings.Repeat("😀", 127) + "😁",
}

func participant(session, seq int64) stage.Participant {
	return stage.Participant{
		Session:   session,
		Seq:       seq,
		ID:        participantID(int(seq)),
		UserID:    fmt.Sprintf("user %d", seq),
		Connected: true,
		Recording: stage.RecordingActive,
		FirstJoin: at(int(seq)),
		Detail: &stage.Detail{
			Attributes: map[string]string{"name": "Zoë", "": "empty key"},
			Protocol:   stage.ProtocolWHIP,
			Client:     stage.Client{OSName: "Linux", OSVersion: "6", BrowserName: "Firefox", BrowserVersion: "150", SDKVersion: "1.2"},
		},
	}
}

func participants(t *testing.T, open opener) {
	get := func(t *testing.T, s stage.Store, session int64, id string) stage.Participant {
		t.Helper()
		return read(t, s, func(tx stage.Tx) (stage.Participant, error) { return tx.Participant(session, id) })
	}
	put := func(t *testing.T, s stage.Store, p stage.Participant) {
		t.Helper()
		update(t, s, func(tx stage.Tx) error { return tx.PutParticipant(&p) })
	}

	t.Run("a participant comes back as it was put, with its detail", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		want := participant(openSession(t, s, stageARN("a"), "st-1"), 1)
		put(t, s, want)
		equal(t, "participant", get(t, s, want.Session, want.ID), want)
		if err := s.View(t.Context(), func(tx stage.Tx) error {
			_, err := tx.Participant(want.Session+1, want.ID)
			return err
		}); !errors.Is(err, stage.ErrNoRow) {
			t.Errorf("in another session: %v", err)
		}
	})

	t.Run("each member that is changed alone is changed, and the place in the session stays", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		p := participant(openSession(t, s, stageARN("a"), "st-1"), 7)
		put(t, s, p)
		for name, change := range map[string]func(*stage.Participant){
			"connected":  func(p *stage.Participant) { p.Connected = false },
			"published":  func(p *stage.Participant) { p.Published = true },
			"recording":  func(p *stage.Participant) { p.Recording = stage.RecordingFailed },
			"user id":    func(p *stage.Participant) { p.UserID = "" },
			"id":         func(p *stage.Participant) { p.ID = "another" },
			"first join": func(p *stage.Participant) { p.FirstJoin = at(99) },
			"attributes": func(p *stage.Participant) { p.Detail.Attributes = map[string]string{} },
			"client":     func(p *stage.Participant) { p.Detail.Client = stage.Client{SDKVersion: "2"} },
			"protocol":   func(p *stage.Participant) { p.Detail.Protocol = stage.ProtocolUnknown },
			"nothing":    func(*stage.Participant) {},
		} {
			change(&p)
			put(t, s, p)
			equal(t, name, get(t, s, p.Session, p.ID), p)
		}
	})

	t.Run("a nil detail leaves the stored one, and there is always one to read", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		session := openSession(t, s, stageARN("a"), "st-1")
		p := participant(session, 1)
		want := p.Detail
		put(t, s, p)
		p.Detail, p.Connected = nil, false
		put(t, s, p)
		got := get(t, s, session, p.ID)
		equal(t, "detail", got.Detail, want)
		equal(t, "connected", got.Connected, false)

		bare := participant(session, 2)
		bare.Detail = nil
		put(t, s, bare)
		got = get(t, s, session, bare.ID)
		if got.Detail == nil || got.Detail.Attributes == nil {
			t.Fatalf("a participant without detail was read as %+v", got)
		}
		equal(t, "client", got.Detail.Client, stage.Client{})
	})

	t.Run("an id is in a session once", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		session := openSession(t, s, stageARN("a"), "st-1")
		put(t, s, participant(session, 1))
		twin := participant(session, 2)
		twin.ID = participantID(1)
		if err := s.Update(t.Context(), func(tx stage.Tx) error { return tx.PutParticipant(&twin) }); err == nil {
			t.Error("a second row of the same id was accepted")
		}
		twin.Session = openSession(t, s, stageARN("b"), "st-1")
		put(t, s, twin)
	})

	t.Run("user ids are told apart byte by byte", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		session := openSession(t, s, stageARN("a"), "st-1")
		update(t, s, func(tx stage.Tx) error {
			for i, id := range append(userIDs, userIDs...) {
				p := participant(session, int64(i+1))
				p.UserID = id
				if err := tx.PutParticipant(&p); err != nil {
					return fmt.Errorf("user id %q: %w", id, err)
				}
			}
			return nil
		})
		for i, id := range userIDs {
			list := read(t, s, func(tx stage.Tx) ([]stage.Participant, error) {
				return tx.Participants(stage.ParticipantQuery{Session: session, UserID: &id, Limit: 10})
			})
			equal(t, fmt.Sprintf("places of %q", id), numbers(list, seq), []int64{int64(i + 1 + len(userIDs)), int64(i + 1)})
			for _, p := range list {
				equal(t, "user id", p.UserID, id)
			}
		}
	})

	t.Run("people who join at once get a place each, and the session counts them", concurrentJoins(open))
}

func concurrentJoins(open opener) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		s := open(t)
		arn := stageARN("a")
		const callers, each = 16, 20
		errs := make(chan error, callers*each)
		var joining sync.WaitGroup
		for c := range callers {
			joining.Go(func() {
				for i := range each {
					errs <- s.Update(t.Context(), func(tx stage.Tx) error { return join(tx, arn, participantID(c*each+i)) })
				}
			})
		}
		joining.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		session := read(t, s, func(tx stage.Tx) (stage.Session, error) { return tx.LiveSession(arn) })
		equal(t, "next place", session.NextSeq, callers*each+1)
		equal(t, "connected", session.Connected, callers*each)
		seqs := walkSeqs(t, s, stage.ParticipantQuery{Session: session.No, Limit: 37})
		equal(t, "places", seqs, downFrom(callers*each))
		feed := read(t, s, func(tx stage.Tx) ([]stage.Event, error) { return tx.Feed(0, callers*each+1) })
		equal(t, "events", len(feed), callers*each)
	}
}

// join is what a register does when somebody comes.
func join(tx stage.Tx, arn stage.ARN, id string) error {
	session, err := tx.LiveSession(arn)
	if errors.Is(err, stage.ErrNoRow) {
		session = stage.Session{Stage: arn, ID: "st-1", Started: tx.Now(), NextSeq: 1}
		err = tx.PutSession(&session)
	}
	if err != nil {
		return err
	}
	p := participant(session.No, session.NextSeq)
	p.ID, p.FirstJoin = id, tx.Now()
	session.NextSeq++
	session.Connected++
	return errors.Join(
		tx.PutParticipant(&p),
		tx.PutSession(&session),
		tx.AppendEvent(&stage.Event{At: tx.Now(), Stage: arn, Session: session.No, Participant: id, Name: stage.Joined}),
	)
}
