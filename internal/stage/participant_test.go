package stage_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

func TestRollCallListsEveryoneWhoJoinedNewestFirst(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	a, b := w.join(arn, "ann"), w.join(arn, "bob")
	w.record(a, stage.PublishStarted)
	w.record(b, stage.Left)
	list := w.roll(stage.Roll{Stage: arn, SessionID: a.SessionID}, 50)
	if len(list) != 2 || list[0].UserID != "bob" || list[0].Connected || !list[1].Connected || !list[1].Published {
		t.Fatalf("roll call is %+v", list)
	}
}

func TestRejoiningKeepsThePlaceInTheRoll(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	token := w.token(arn, "ann")
	first := w.enter(token.JWT)
	w.record(first, stage.PublishStarted, stage.PublishStopped, stage.Left)
	w.join(arn, "bob")
	w.pass(time.Minute)
	again := w.enter(token.JWT)
	if again.SessionID != first.SessionID || again.Seq != first.Seq {
		t.Fatalf("first %+v, again %+v", first, again)
	}
	p, err := w.Participant(t.Context(), w.caller, arn, again.SessionID, again.ParticipantID)
	w.check(err)
	if !p.Connected || !p.Published || !p.FirstJoin.Equal(first.JoinedAt) || p.Detail.Protocol != stage.ProtocolWHIP {
		t.Errorf("participant is %+v", p)
	}
	want := "JOINED LEFT PUBLISH_STOPPED PUBLISH_STARTED JOINED"
	if got := strings.Join(w.events(again), " "); got != want {
		t.Errorf("events are %s, want %s", got, want)
	}
}

func TestUnusedTokenIsNoParticipant(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	e := w.join(arn, "")
	unused := w.token(arn, "")
	_, err := w.Participant(t.Context(), w.caller, arn, e.SessionID, unused.ParticipantID)
	wantKind(t, err, stage.NotFound)
	if n := len(w.roll(stage.Roll{Stage: arn, SessionID: e.SessionID}, 50)); n != 1 {
		t.Errorf("%d listed", n)
	}
}

func TestDisconnectedParticipantMayNotComeBack(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	token := w.token(arn, "")
	a, err := w.Admit(t.Context(), token.JWT)
	w.check(err)
	w.check(w.Disconnect(t.Context(), w.caller, arn, token.ParticipantID, "enough"))
	_, err = w.Join(t.Context(), a, stage.Client{}) // admitted before, barred since
	wantKind(t, err, stage.Denied)
	_, err = w.Admit(t.Context(), token.JWT)
	wantKind(t, err, stage.Denied)
	w.check(w.Disconnect(t.Context(), w.caller, arn, token.ParticipantID, "again"))
	wantKind(t, w.Disconnect(t.Context(), w.caller, arn, "neverissued1", ""), stage.NotFound)
}

func TestErrorOfARefusedParticipantMakesNoRow(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	host := w.join(arn, "")
	a, err := w.Admit(t.Context(), w.token(arn, "").JWT)
	w.check(err)
	refusal := stage.Fact{Name: stage.PublishError, Error: stage.InsufficientCapabilities}
	w.check(w.Refuse(t.Context(), a, refusal))
	lonely := stage.Admission{Stage: w.stage(), ParticipantID: a.ParticipantID}
	w.check(w.Refuse(t.Context(), lonely, refusal)) // no session is live there: it begins none
	if id := w.active(lonely.Stage); id != "" {
		t.Errorf("a refusal began session %s", id)
	}
	if n := len(w.roll(stage.Roll{Stage: arn, SessionID: host.SessionID}, 50)); n != 1 {
		t.Errorf("%d listed", n)
	}
	refused := stage.Entry{Stage: arn, SessionID: host.SessionID, ParticipantID: a.ParticipantID}
	if got := w.events(refused); !slices.Equal(got, []string{"PUBLISH_ERROR"}) {
		t.Errorf("events are %v", got)
	}
}

func TestWhatAClientTellsLaterIsMerged(t *testing.T) {
	w := newWorld(t)
	e := w.join(w.stage(), "")
	w.check(w.Describe(t.Context(), e, stage.Client{BrowserName: "Chrome", OSName: "Linux"}))
	w.check(w.Describe(t.Context(), e, stage.Client{OSName: "Debian"}))
	p, err := w.Participant(t.Context(), w.caller, e.Stage, e.SessionID, e.ParticipantID)
	w.check(err)
	if p.Detail.Client != (stage.Client{BrowserName: "Chrome", OSName: "Debian"}) {
		t.Errorf("client is %+v", p.Detail.Client)
	}
}

// A walk in pages, while people join, leave and come back between the pages,
// gives nobody twice and everybody once who matched all the time.
func TestWalkIsExactWhateverMovesMeanwhile(t *testing.T) {
	t.Parallel()
	connected, gone, published, user := true, false, true, "even"
	filters := map[string]struct {
		roll    stage.Roll
		matches func(i int) bool // of those who do not move during the walk
	}{
		"no filter":    {stage.Roll{}, func(int) bool { return true }},
		"connected":    {stage.Roll{Connected: &connected}, func(i int) bool { return i%3 != 0 }},
		"disconnected": {stage.Roll{Connected: &gone}, func(i int) bool { return i%3 == 0 }},
		"published":    {stage.Roll{Published: &published}, func(i int) bool { return i%5 == 0 }},
		"user id":      {stage.Roll{UserID: &user}, func(i int) bool { return i%2 == 0 }},
	}
	for name, f := range filters {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			arn := w.stage()
			random := rand.New(rand.NewPCG(1, 2))
			var session string
			steady, movers := map[string]bool{}, []stage.Entry{}
			for i := range 240 {
				e := w.join(arn, []string{"even", "odd"}[i%2])
				session = e.SessionID
				if i%4 == 3 {
					movers = append(movers, e)
					continue
				}
				if i%5 == 0 {
					w.record(e, stage.PublishStarted, stage.PublishStopped)
				}
				if i%3 == 0 {
					w.record(e, stage.Left)
				}
				steady[e.ParticipantID] = f.matches(i)
			}
			here := map[string]bool{}
			for _, e := range movers {
				here[e.ParticipantID] = true
			}
			flip := func() {
				e := movers[random.IntN(len(movers))]
				if here[e.ParticipantID] {
					w.record(e, stage.Left)
				} else {
					_, err := w.Join(t.Context(), stage.Admission{Stage: arn, ParticipantID: e.ParticipantID, Expires: w.clock().Add(time.Hour)}, stage.Client{})
					w.check(err)
				}
				here[e.ParticipantID] = !here[e.ParticipantID]
			}
			seen := map[string]int{}
			r := f.roll
			r.Stage, r.SessionID, r.Page = arn, session, stage.Page{Limit: 7}
			for {
				list, next, err := w.Participants(t.Context(), w.caller, r)
				w.check(err)
				for _, p := range list {
					seen[p.ID]++
				}
				if next == 0 {
					break
				}
				r.Page.After = next
				for range 5 {
					flip()
				}
				w.join(arn, "even")
			}
			for id, n := range seen {
				if n > 1 {
					t.Errorf("%s was listed %d times", id, n)
				}
				if match, isSteady := steady[id]; isSteady && !match {
					t.Errorf("%s was listed and never matched", id)
				}
			}
			for id, match := range steady {
				if match && seen[id] != 1 {
					t.Errorf("%s matched throughout and was listed %d times", id, seen[id])
				}
			}
		})
	}
}

func TestNobodyHasNoEvents(t *testing.T) {
	w := newWorld(t)
	nobody := w.join(w.stage(), "")
	nobody.ParticipantID = ""
	if got := w.events(nobody); len(got) != 0 {
		t.Errorf("the empty id has the events %v", got)
	}
}
