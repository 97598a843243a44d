package desk

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"callboard/internal/stage"
)

// lens is one filter, as a query and as a test.
type lens struct {
	query   string
	matches func(p rollEntry, role string) bool
}

var lenses = []lens{
	{"", func(rollEntry, string) bool { return true }},
	{"state=CONNECTED", func(p rollEntry, _ string) bool { return p.State == "CONNECTED" }},
	{"state=DISCONNECTED", func(p rollEntry, _ string) bool { return p.State == "DISCONNECTED" }},
	{"published=true", func(p rollEntry, _ string) bool { return p.Published }},
	{"published=false&state=CONNECTED", func(p rollEntry, _ string) bool { return !p.Published && p.State == "CONNECTED" }},
	{"userId=u1", func(p rollEntry, _ string) bool { return p.UserID == "u1" }},
	{"userIdPrefix=v&published=true", func(p rollEntry, _ string) bool { return p.UserID[0] == 'v' && p.Published }},
	{"attribute.role=host&state=CONNECTED", func(p rollEntry, role string) bool { return role == "host" && p.State == "CONNECTED" }},
	{"protocol=UNKNOWN", func(p rollEntry, _ string) bool { return !p.Published }},
}

// chronicle is what ListParticipants would have said at each position of the feed.
type chronicle struct {
	mu      sync.Mutex
	written *sync.Cond
	newest  int64
	rolls   map[int64][]rollEntry
	roles   map[string]string // by participant
}

func (c *chronicle) write(w *world, e stage.Entry) {
	var all []rollEntry
	for after := int64(0); ; {
		list, next, err := w.service.Participants(w.t.Context(), w.caller, stage.Roll{Stage: e.Stage, SessionID: e.SessionID, Page: stage.Page{After: after, Limit: 100}})
		w.check(err)
		for i := range list {
			all = append(all, toRollEntry(&list[i]))
		}
		if after = next; next == 0 {
			break
		}
	}
	no, _ := w.service.Latest()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rolls[no], c.newest = all, no
	c.written.Broadcast()
}

// says is the roll at a position through a lens; false if nothing was written there,
// amid a transaction.
func (c *chronicle) says(no int64, l lens) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, ok := c.rolls[no]
	seen := slices.DeleteFunc(slices.Clone(all), func(p rollEntry) bool { return !l.matches(p, c.roles[p.ParticipantID]) })
	return rollText(seen), ok
}

// actor is somebody in the random history.
type actor struct {
	admission  stage.Admission
	entry      stage.Entry
	here, airs bool
}

// A viewer who applies snapshot and changes holds at every moment exactly what
// ListParticipants with his filter would have said at the position he has been told
// of: whatever happens, whenever he comes, leaves and comes back, and whether he reads
// from the strip or by himself.
func TestAViewerHoldsExactlyWhatAListWouldHaveSaidAtThatPosition(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			how := hurry
			how.strip = 1 + int(seed)*8
			w := newWorldWith(t, how, func(*Options) {})
			w.play(t, rand.New(rand.NewPCG(seed, 1)), w.serve())
		})
	}
}

func (w *world) play(t *testing.T, dice *rand.Rand, base string) {
	arn := w.newStage()
	c := &chronicle{rolls: map[int64][]rollEntry{}, roles: map[string]string{}}
	c.written = sync.NewCond(&c.mu)
	anchor := w.join(arn, "u0") // keeps the session open
	c.write(w, anchor)
	w.join(w.newStage(), "elsewhere")
	c.write(w, anchor)
	done, last := make(chan struct{}), int64(0)
	var watching sync.WaitGroup
	for i, l := range lenses {
		watching.Go(func() {
			w.follow(t, c, l, base+at(anchor, "/watch?")+l.query, rand.New(rand.NewPCG(uint64(i), 7)), done, &last)
		})
	}
	actors := []*actor{}
	for range 150 {
		w.move(c, dice, &actors, arn)
		c.write(w, anchor)
		if dice.IntN(20) == 0 {
			w.join(w.newStage(), "elsewhere")
			c.write(w, anchor)
		}
	}
	last, _ = w.service.Latest()
	close(done)
	watching.Wait()
}

// move does one random thing, in one transaction.
func (w *world) move(c *chronicle, dice *rand.Rand, actors *[]*actor, arn stage.ARN) {
	if len(*actors) == 0 || dice.IntN(4) == 0 {
		role := []string{"host", "guest"}[dice.IntN(2)]
		a := &actor{admission: w.token(arn, []string{"u1", "u2", "v1", "v2"}[dice.IntN(4)], map[string]string{"role": role})}
		c.mu.Lock()
		c.roles[a.admission.ParticipantID] = role
		c.mu.Unlock()
		a.entry, a.here = w.enter(a.admission), true
		*actors = append(*actors, a)
		return
	}
	a := (*actors)[dice.IntN(len(*actors))]
	facts := []stage.Fact{}
	switch {
	case !a.here:
		a.entry, a.here = w.enter(a.admission), true
		return
	case dice.IntN(3) == 0:
		if a.airs {
			facts = append(facts, stage.Fact{Name: stage.PublishStopped})
		}
		facts = append(facts, stage.Fact{Name: stage.Left})
		a.here, a.airs = false, false
	case a.airs:
		facts = append(facts, stage.Fact{Name: stage.PublishStopped})
		a.airs = false
	case dice.IntN(2) == 0:
		facts = append(facts, stage.Fact{Name: stage.PublishStarted, Protocol: stage.ProtocolWHIP})
		a.airs = true
	default:
		facts = append(facts, stage.Fact{Name: stage.SubscribeStarted, Remote: "somebody"})
	}
	w.check(w.register.Record(w.t.Context(), a.entry, facts...))
}

// follow watches, comes and goes, and compares at every id.
func (w *world) follow(t *testing.T, c *chronicle, l lens, url string, dice *rand.Rand, done <-chan struct{}, last *int64) {
	v := w.view(t, url, "")
	v.beats = true
	defer func() { v.close() }()
	for told := int64(-1); ; {
		m, ok := v.next()
		if !ok {
			t.Errorf("%s: the stream ended", l.query)
			return
		}
		if m.ID == "" {
			continue
		}
		no := v.no()
		if m.Event != caughtUp && m.Event != heartbeat && no <= told {
			t.Errorf("%s: number %d was told after %d", l.query, no, told)
		}
		told = no
		if want, ok := c.wait(no, l); ok && v.text() != want {
			t.Errorf("%s: at %d the viewer has\n%swant\n%s", l.query, no, v.text(), want)
			return
		}
		select {
		case <-done:
			if no >= *last {
				return
			}
		default:
		}
		if dice.IntN(15) == 0 {
			roll, id := v.roll, v.id
			v.close()
			v = w.view(t, url, id)
			v.roll, v.beats = roll, true
		}
	}
}

// wait is says for a position that is about to be written: what is durable is told
// before the test has written it down.
func (c *chronicle) wait(no int64, l lens) (string, bool) {
	c.mu.Lock()
	for c.newest < no {
		c.written.Wait()
	}
	c.mu.Unlock()
	return c.says(no, l)
}
