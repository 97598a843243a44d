package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
	"callboard/internal/store/storetest"
)

// read gives the rows of a statement, columns joined by a bar.
func readView(t *testing.T, s *Store, columns int, sql string) []string {
	t.Helper()
	var rows []string
	err := s.View(t.Context(), func(view stage.Tx) error {
		return view.(*tx).all(sql, func(r row) {
			var texts []string
			for i := range columns {
				texts = append(texts, r.text(i))
			}
			rows = append(rows, strings.Join(texts, "|"))
		})
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

func spelled(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func TestTimesOfViewsAreThoseOfTheCalendar(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"SQLite": "", "PostgreSQL": storetest.Postgres(t)} {
		s := openAt(t, Options{Path: path})
		var want []string
		mustUpdate(t, s, func(tx stage.Tx) error {
			session := stage.Session{Stage: testStage, ID: "st-times", Started: time.UnixMilli(1), NextSeq: 1}
			if err := tx.PutSession(&session); err != nil {
				return err
			}
			for day := time.Date(1970, 1, 1, 23, 59, 59, 999e6, time.UTC); day.Year() < 2100; day = day.Add(11*24*time.Hour - 7*time.Minute - 3*time.Millisecond) {
				e := stage.Event{At: day, Stage: testStage, Session: session.No, Participant: "p", Name: stage.Joined}
				if err := tx.AppendEvent(&e); err != nil {
					return err
				}
				want = append(want, spelled(day))
			}
			for _, day := range []string{"1972-02-29", "2000-02-28", "2000-02-29", "2000-03-01", "2026-12-31", "2027-01-01", "2096-02-29"} {
				e := stage.Event{Stage: testStage, Session: session.No, Participant: "p", Name: stage.Joined}
				e.At, _ = time.Parse(time.DateOnly, day)
				want = append(want, spelled(e.At))
				if err := tx.AppendEvent(&e); err != nil {
					return err
				}
			}
			return nil
		})
		if got := readView(t, s, 1, `SELECT time FROM callboard_events WHERE session_id = 'st-times' ORDER BY no`); !slices.Equal(got, want) {
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%s spells %s, want %s", name, got[i], want[i])
				}
			}
			t.Errorf("%s spells %d times, want %d", name, len(got), len(want))
		}
	}
}

func TestViewsSayWhatTheDomainSays(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); viewsAgree(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); viewsAgree(t, storetest.Postgres(t)) })
}

func viewsAgree(t *testing.T, path string) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 60e6, time.UTC)
	s := openAt(t, Options{Path: path, Now: func() time.Time { return now }})
	service, register, err := stage.Open(t.Context(), stage.Options{Store: s, Now: func() time.Time { return now }})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(err)
	caller := stage.Caller{Account: "123456789012", Region: "eu-west-1"}
	made, _, err := service.CreateStage(t.Context(), caller, stage.NewStage{Name: "radio"})
	check(err)
	join := func(id string) stage.Entry {
		now = now.Add(time.Second)
		a := stage.Admission{Stage: made.ARN, ParticipantID: id, UserID: "user of " + id, Attributes: map[string]string{"role": id}, Expires: now.Add(time.Hour)}
		e, err := register.Join(t.Context(), a, stage.Client{OSName: "Android"})
		check(err)
		return e
	}
	record := func(e stage.Entry, facts ...stage.Fact) {
		now = now.Add(time.Second)
		check(register.Record(t.Context(), e, facts...))
	}
	ann, bob := join("ann"), join("bob")
	publish, watch := stage.Fact{Name: stage.PublishStarted, Protocol: stage.ProtocolWHIP}, stage.Fact{Name: stage.SubscribeStarted, Remote: "ann"}
	record(ann, publish)
	record(ann, publish) // which changes nothing
	record(bob, watch)
	record(bob, stage.Fact{Name: stage.SubscribeStopped, Remote: "somebody"})
	record(bob, stage.Fact{Name: stage.SubscribeStopped, Remote: "ann"}, watch)
	record(ann, stage.Fact{Name: stage.PublishStopped})
	record(ann, publish)
	record(ann, stage.Fact{Name: stage.Left})
	ann = join("ann")
	record(ann, publish, stage.Fact{Name: stage.SubscribeStarted, Remote: "bob"})
	record(bob, stage.Fact{Name: stage.Left})

	session, err := service.FindSession(t.Context(), caller, made.ARN, "live")
	check(err)
	where := fmt.Sprintf(` WHERE stage_arn = '%s' AND session_id = '%s'`, made.ARN, session.ID)
	got := readView(t, s, 6, `SELECT stage_name, state, start_time, COALESCE(end_time, 'none'), participants, connected FROM callboard_sessions`+where)
	if want := "radio|LIVE|" + spelled(session.Started) + "|none|2|1"; len(got) != 1 || got[0] != want {
		t.Errorf("sessions are %q, want %q", got, want)
	}

	history, err := service.History(t.Context(), session)
	check(err)
	var people, intervals, events []string
	for a, err := range history.Attendances(t.Context()) {
		check(err)
		people = append(people, fmt.Sprintf("%d|%s|%s|%s|%s|%d|%d|DISABLED|%s|{\"role\":%q}|Android", a.Seq, a.ID, a.UserID, state(a.Connected),
			spelled(a.FirstJoin), bit(a.Published), bit(a.Presence.Publishing), a.Detail.Protocol, a.ID))
		for _, i := range a.Intervals {
			end, ms := "none", "none"
			if !i.Open {
				end, ms = spelled(i.To), fmt.Sprint(i.To.Sub(i.From).Milliseconds())
			}
			intervals = append(intervals, fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s", a.ID, a.UserID, i.Activity, i.Publisher, spelled(i.From), end, ms))
		}
	}
	for e, err := range history.Events(t.Context()) {
		check(err)
		events = append(events, fmt.Sprintf("%d|%s|%s|%s|%s|%s", e.No, spelled(e.At), e.Participant, e.Name, e.Remote, e.Error))
	}
	for name, pair := range map[string][2][]string{
		"participants": {people, readView(t, s, 11, `SELECT join_sequence, participant_id, user_id, state, first_join_time, published, publishing, recording_state,
			protocol, attributes, os_name FROM callboard_participants`+where)},
		"attendance": {intervals, readView(t, s, 7, `SELECT participant_id, user_id, activity, COALESCE(publisher_participant_id, ''), start_time,
			COALESCE(end_time, 'none'), COALESCE(CAST(ms AS TEXT), 'none') FROM callboard_attendance`+where)},
		"events": {events, readView(t, s, 6, `SELECT no, time, participant_id, name, COALESCE(remote_participant_id, ''), COALESCE(error_code, '') FROM callboard_events`+where)},
	} {
		want, got := pair[0], pair[1]
		slices.Sort(want)
		slices.Sort(got)
		if len(want) < 2 || !slices.Equal(got, want) {
			t.Errorf("%s are\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func state(connected bool) string {
	if connected {
		return "CONNECTED"
	}
	return "DISCONNECTED"
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
