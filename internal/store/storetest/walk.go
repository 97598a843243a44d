package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"callboard/internal/stage"
)

func walks(t *testing.T, open opener) {
	s := open(t)
	const size = 400
	session := openSession(t, s, stageARN("a"), "st-1")
	people := detailedCrowd(t, s, session, size)
	detailedCrowd(t, s, session+1, 50) // neighbours, who must not be seen

	t.Run("a walk comes by those whom the filter means, and a count agrees", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 5))
		for range 300 {
			q := stage.WalkQuery{Session: session, Above: rng.Int64N(size), Through: rng.Int64N(size + 20), Filter: anyFilter(rng), Detail: rng.IntN(2) == 0}
			var want []int64
			for _, p := range people {
				if p.Seq > q.Above && p.Seq <= q.Through && q.Filter.Match(&p) {
					want = append(want, p.Seq)
				}
			}
			list := read(t, s, func(tx stage.Tx) ([]stage.Participant, error) { return tx.Walk(q) })
			equal(t, fmt.Sprintf("walk of %+v", q), append([]int64(nil), numbers(list, seq)...), want)
			n := read(t, s, func(tx stage.Tx) (int64, error) { return tx.Count(q) })
			equal(t, fmt.Sprintf("count of %+v", q), n, int64(len(want)))
			for _, p := range list {
				complete := people[p.Seq-1]
				if !q.Detail && !q.Filter.Detailed() {
					complete.Detail = nil
				}
				equal(t, "row", p, complete)
			}
		}
	})

	t.Run("somebody without a detail is walked by like one whose detail is empty", func(t *testing.T) {
		s := open(t)
		session := openSession(t, s, stageARN("a"), "st-1")
		p := stage.Participant{Session: session, Seq: 1, ID: "p", FirstJoin: at(0)}
		update(t, s, func(tx stage.Tx) error { return tx.PutParticipant(&p) })
		list := read(t, s, func(tx stage.Tx) ([]stage.Participant, error) {
			return tx.Walk(stage.WalkQuery{Session: session, Through: 1, Detail: true})
		})
		p.Detail = &stage.Detail{Attributes: map[string]string{}}
		equal(t, "walk", list, []stage.Participant{p})
	})
}

// detailedCrowd is a crowd whose members differ in all that a filter can ask.
func detailedCrowd(t *testing.T, s stage.Store, session int64, n int) []stage.Participant {
	t.Helper()
	people := crowd(t, s, session, n)
	for i := range people {
		p := &people[i]
		p.FirstJoin = at(i / 3)
		p.UserID = []string{"", "ann", "Ann", "anna", "zoë", "zoe", "a%"}[i%7]
		p.Detail = &stage.Detail{
			Protocol:   stage.ProtocolUnknown,
			Client:     stage.Client{OSName: "Android", OSVersion: "16", BrowserName: "Chrome", BrowserVersion: "150", SDKVersion: "1"},
			Attributes: map[string]string{"role": []string{"host", "guest", "<é>"}[i%3], `x"role`: "host", "a,": ":"},
		}
		if p.Published {
			p.Detail.Protocol = stage.ProtocolWHIP
		}
	}
	update(t, s, func(tx stage.Tx) error {
		for i := range people {
			if err := tx.PutParticipant(&people[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return people
}

func anyFilter(rng *rand.Rand) (f stage.Filter) {
	yes := rng.IntN(2) == 0
	for range rng.IntN(4) {
		switch rng.IntN(9) {
		case 0:
			f.Connected = &yes
		case 1:
			f.Published = &yes
		case 2:
			f.Recording = new(stage.RecordingState(rng.IntN(6)))
		case 3:
			f.UserID = new([]string{"", "ann", "ANN", "nobody"}[rng.IntN(4)])
		case 4:
			f.UserPrefix = []string{"", "a", "an", "ann", "zoë", "zo", "a%", "_"}[rng.IntN(8)]
		case 5:
			f.Protocol = []stage.Protocol{stage.ProtocolUnknown, stage.ProtocolWHIP, "WH"}[rng.IntN(3)]
		case 6:
			f.JoinedFrom = at(rng.IntN(150)).Add(time.Duration(rng.IntN(3)) * time.Microsecond)
		case 7:
			f.JoinedBefore = at(rng.IntN(150)).Add(time.Duration(rng.IntN(3)) * time.Microsecond)
		case 8:
			f.Attributes = []map[string]string{{"role": "host"}, {"role": "<é>"}, {"role": "host", "a,": ":"}, {":": ","}, {"role": ""}, {`x"role`: "host"}}[rng.IntN(6)]
		}
	}
	return f
}

func histories(t *testing.T, open opener) {
	s := open(t)
	session := openSession(t, s, stageARN("a"), "st-1")
	const people = 40
	bySeq, byID := map[int64][]stage.Event{}, map[string][]stage.Event{}
	name := func(i int) string { return participantID(i * 17 % people) } // ids are in another order than the joins
	update(t, s, func(tx stage.Tx) error {
		for i := range 300 {
			who := i * 7 % (people + 5) // the last ones have no row
			e := stage.Event{At: at(i), Stage: stageARN("a"), Session: session, Participant: name(who), Name: stage.SubscribeStarted, Remote: fmt.Sprint(i)}
			if who >= people {
				e.Participant, e.Name, e.Remote, e.Error = fmt.Sprintf("refused%d", who), stage.JoinError, "", stage.QuotaExceeded
			}
			if i%9 == 0 {
				e.Session += 7
			}
			if err := tx.AppendEvent(&e); err != nil {
				return err
			}
			if e.Stage = (stage.ARN{}); e.Session == session { // its stage is not read
				bySeq[int64(who+1)] = append(bySeq[int64(who+1)], e)
				byID[e.Participant] = append(byID[e.Participant], e)
			}
		}
		for i := range people {
			if err := tx.PutParticipant(&stage.Participant{Session: session, Seq: int64(i + 1), ID: name(i), FirstJoin: at(0)}); err != nil {
				return err
			}
		}
		return nil
	})

	t.Run("histories come by participant in the order of joining, each oldest first", func(t *testing.T) {
		for _, bounds := range [][2]int64{{0, people}, {0, 1}, {10, 20}, {39, 1000}, {20, 20}} {
			var got, want []string
			view(t, s, func(tx stage.Tx) error {
				return tx.Histories(session, bounds[0], bounds[1], func(seq int64, e stage.Event) {
					got = append(got, fmt.Sprint(seq, e))
				})
			})
			for seq := bounds[0] + 1; seq <= min(bounds[1], people); seq++ {
				for _, e := range bySeq[seq] {
					want = append(want, fmt.Sprint(seq, e))
				}
			}
			equal(t, fmt.Sprint("histories of ", bounds), got, want)
		}
	})

	t.Run("all events of a session come by participant, those of people without a row too", func(t *testing.T) {
		for _, limit := range []int{1, 7, 1000} {
			got := map[string][]stage.Event{}
			for last := (stage.Event{}); ; {
				list := read(t, s, func(tx stage.Tx) ([]stage.Event, error) { return tx.SessionEvents(session, last, limit) })
				if len(list) == 0 {
					break
				}
				for _, e := range list {
					if e.Participant != last.Participant && got[e.Participant] != nil {
						t.Fatalf("%s comes twice", e.Participant)
					}
					got[e.Participant] = append(got[e.Participant], e)
					last = e
				}
			}
			equal(t, fmt.Sprintf("events by %d", limit), got, byID)
		}
	})
}
