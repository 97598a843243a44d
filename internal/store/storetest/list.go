package storetest

import (
	"fmt"
	"slices"
	"testing"

	"callboard/internal/stage"
)

func seq(p stage.Participant) int64 { return p.Seq }

// downFrom gives n, n-1, ... 1.
func downFrom(n int) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(n - i)
	}
	return list
}

// walkSeqs reads q page by page down to the end.
func walkSeqs(t *testing.T, s stage.Store, q stage.ParticipantQuery) []int64 {
	t.Helper()
	var seqs []int64
	for {
		list := read(t, s, func(tx stage.Tx) ([]stage.Participant, error) { return tx.Participants(q) })
		if len(list) > q.Limit {
			t.Fatalf("a page of %d has %d rows", q.Limit, len(list))
		}
		if len(list) == 0 {
			return seqs
		}
		seqs = append(seqs, numbers(list, seq)...)
		q.Before = seqs[len(seqs)-1]
	}
}

// crowd fills a session so that every filter has many, few and no rows. All
// join in the same millisecond, so that only the place can order them.
func crowd(t *testing.T, s stage.Store, session int64, n int) []stage.Participant {
	t.Helper()
	people := make([]stage.Participant, n)
	for i := range people {
		seq := int64(i + 1)
		people[i] = stage.Participant{
			Session:   session,
			Seq:       seq,
			ID:        fmt.Sprintf("%x-%d", (seq*2654435761)%4096, seq), // not in order of joining
			UserID:    fmt.Sprintf("user %d", (seq*7)%int64(n/3)),
			Connected: i%100 == 3,
			Published: i%3 == 0,
			Recording: stage.RecordingState(i % 11 % 5),
			FirstJoin: at(0),
		}
	}
	for chunk := range slices.Chunk(people, 200) {
		update(t, s, func(tx stage.Tx) error {
			for i := range chunk {
				if err := tx.PutParticipant(&chunk[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return people
}

// filters are all that a list can be asked for.
func filters(session int64) map[string]struct {
	query   stage.ParticipantQuery
	matches func(stage.Participant) bool
} {
	type filter = struct {
		query   stage.ParticipantQuery
		matches func(stage.Participant) bool
	}
	user, nobody := "user 14", "nobody"
	all := map[string]filter{
		"everybody":   {stage.ParticipantQuery{}, func(stage.Participant) bool { return true }},
		"a user id":   {stage.ParticipantQuery{UserID: &user}, func(p stage.Participant) bool { return p.UserID == user }},
		"no one's id": {stage.ParticipantQuery{UserID: &nobody}, func(stage.Participant) bool { return false }},
	}
	for _, yes := range []bool{true, false} {
		all[fmt.Sprintf("connected %v", yes)] = filter{stage.ParticipantQuery{Connected: &yes}, func(p stage.Participant) bool { return p.Connected == yes }}
		all[fmt.Sprintf("published %v", yes)] = filter{stage.ParticipantQuery{Published: &yes}, func(p stage.Participant) bool { return p.Published == yes }}
	}
	for state := stage.RecordingDisabled; state <= stage.RecordingFailed; state++ {
		all[fmt.Sprintf("recording %d", state)] = filter{stage.ParticipantQuery{Recording: &state}, func(p stage.Participant) bool { return p.Recording == state }}
	}
	for name, f := range all {
		f.query.Session = session
		all[name] = f
	}
	return all
}

func participantLists(t *testing.T, open opener) {
	s := open(t)
	const size = 1200
	openSession(t, s, stageARN("before"), "st-1")
	session := openSession(t, s, stageARN("a"), "st-1")
	after := openSession(t, s, stageARN("after"), "st-1")
	people := crowd(t, s, session, size)
	crowd(t, s, session-1, 60) // neighbours, who must not be seen
	crowd(t, s, after, 60)

	for name, f := range filters(session) {
		var want []int64
		for _, p := range slices.Backward(people) {
			if f.matches(p) {
				want = append(want, p.Seq)
			}
		}
		t.Run(name+": every page size walks the same rows, newest first", func(t *testing.T) {
			for _, limit := range []int{1, 7, 50, 101, size + 1} {
				if limit == 1 && len(want) > 100 {
					continue
				}
				q := f.query
				q.Limit = limit
				equal(t, fmt.Sprintf("walk by %d", limit), walkSeqs(t, s, q), want)
			}
		})
		t.Run(name+": a page begins anywhere, at the place of somebody else too", func(t *testing.T) {
			for _, from := range []int64{1, 2, 3, 599, 600, size, size + 1, 1 << 40} {
				q := f.query
				q.Before, q.Limit = from, 10
				list := read(t, s, func(tx stage.Tx) ([]stage.Participant, error) { return tx.Participants(q) })
				first := slices.IndexFunc(want, func(seq int64) bool { return seq < from })
				rest := []int64{}
				if first >= 0 {
					rest = want[first:min(first+10, len(want))]
				}
				equal(t, fmt.Sprintf("page before %d", from), numbers(list, seq), rest)
			}
		})
	}

	t.Run("rows of a list are complete but for the detail", func(t *testing.T) {
		list := read(t, s, func(tx stage.Tx) ([]stage.Participant, error) {
			return tx.Participants(stage.ParticipantQuery{Session: session, Limit: size})
		})
		slices.Reverse(list)
		equal(t, "rows", list, people)
	})

	t.Run("a limit of nothing gives nothing", func(t *testing.T) {
		list := read(t, s, func(tx stage.Tx) ([]stage.Participant, error) {
			return tx.Participants(stage.ParticipantQuery{Session: session})
		})
		equal(t, "rows", list, []stage.Participant{})
	})

	t.Run("somebody who changes is listed where they now belong", func(t *testing.T) {
		p := people[600]
		p.Connected, p.Published, p.Recording, p.UserID = !p.Connected, !p.Published, stage.RecordingFailed, "moved"
		update(t, s, func(tx stage.Tx) error { return tx.PutParticipant(&p) })
		for name, f := range filters(session) {
			q := f.query
			q.Before, q.Limit = p.Seq+1, 1
			list := read(t, s, func(tx stage.Tx) ([]stage.Participant, error) { return tx.Participants(q) })
			if got := len(list) == 1 && list[0].Seq == p.Seq; got != f.matches(p) {
				t.Errorf("%s: listed %v, but matches %v", name, got, f.matches(p))
			}
		}
	})
}
