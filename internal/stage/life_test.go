package stage_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

// life is a session in which things happen at random, once a second, and what is
// known of it without the store: what everybody did in every second. Nobody does
// two things in one second, so that nothing is too short to be seen.
type life struct {
	*world
	rng    *rand.Rand
	began  time.Time
	arn    stage.ARN
	people []*soul
	second int
}

// soul is one participant.
type soul struct {
	token string
	entry stage.Entry
	user  string
	role  string
	joins int64
	acted int // second of the last fact
	first int // second of the first
	past  []doing
	now   doing
	subs  map[string]bool
}

// doing is what somebody does in one second.
type doing struct {
	connected, publishing, published bool
	subscribed                       string // to whom, sorted
}

func newLife(t *testing.T, seed uint64) *life {
	w := newWorld(t)
	return &life{world: w, rng: rand.New(rand.NewPCG(seed, 4)), began: w.clock(), arn: w.stage()}
}

// live lets n seconds pass.
func (l *life) live(n int) {
	for range n {
		for range l.rng.IntN(4) {
			if l.rng.IntN(3) == 0 || len(l.people) == 0 {
				l.come()
			} else if p := l.people[l.rng.IntN(len(l.people))]; p.acted < l.second {
				l.act(p)
			}
		}
		l.tick()
	}
}

// tick notes what everybody does in this second.
func (l *life) tick() {
	for _, p := range l.people {
		for len(p.past) < l.second {
			p.past = append(p.past, doing{}) // before it came
		}
		p.past = append(p.past, p.now)
	}
	l.pass(time.Second)
	l.second++
}

func (l *life) come() {
	p := &soul{
		user: l.pick("", "ann", "anna", "bob", "zoë"), role: l.pick("host", "guest", `x"role`), first: l.second, subs: map[string]bool{},
	}
	issued, err := l.CreateToken(l.t.Context(), l.caller, l.arn, stage.TokenRequest{
		UserID: p.user, Attributes: map[string]string{"role": p.role, "n": "1"},
	})
	l.check(err)
	p.token = issued.JWT
	l.people = append(l.people, p)
	l.back(p)
}

func (l *life) pick(from ...string) string { return from[l.rng.IntN(len(from))] }

func (l *life) back(p *soul) {
	p.entry = l.enter(p.token)
	p.now.connected, p.acted = true, l.second
	p.joins++
}

func (l *life) act(p *soul) {
	if !p.now.connected {
		l.back(p)
		return
	}
	p.acted = l.second
	fact := stage.Fact{Protocol: stage.ProtocolWHIP}
	other := l.people[l.rng.IntN(len(l.people))].entry.ParticipantID
	switch l.rng.IntN(6) {
	case 0:
		fact.Name = stage.Left
	case 1, 2: // whatever begins a second time, or ends, changes nothing
		fact.Name, p.now.publishing, p.now.published = stage.PublishStarted, true, true
	case 3:
		fact.Name, p.now.publishing = stage.PublishStopped, false
	case 4:
		fact.Name, fact.Remote, p.subs[other] = stage.SubscribeStarted, other, true
	case 5:
		fact.Name, fact.Remote = stage.SubscribeStopped, other
		delete(p.subs, other)
	}
	l.check(l.Record(l.t.Context(), p.entry, fact))
	if fact.Name == stage.Left {
		p.leave()
	}
	p.now.subscribed = strings.Join(slices.Sorted(maps.Keys(p.subs)), " ")
}

func (p *soul) leave() {
	clear(p.subs)
	p.now = doing{published: p.now.published}
}

// crash ends the session as a start after a crash does: everybody left when the
// last thing happened that is known.
func (l *life) crash() {
	last := 0
	for _, p := range l.people {
		last = max(last, p.acted)
	}
	l.check(l.Recover(l.t.Context()))
	for _, p := range l.people {
		p.leave()
		for i := last; i < len(p.past); i++ {
			p.past[i] = p.now
		}
	}
}

func (l *life) session() stage.Session {
	l.t.Helper()
	s, err := l.Session(l.t.Context(), l.caller, l.arn, l.people[0].entry.SessionID)
	l.check(err)
	return s
}

func (l *life) time(second int) time.Time { return l.began.Add(time.Duration(second) * time.Second) }

// at is what somebody does in a second; the present one is as the last.
func (p *soul) at(second int) doing {
	if second < p.first {
		return doing{}
	}
	return p.past[min(second, len(p.past)-1)]
}

// presence adds up the seconds before a moment.
func (p *soul) presence(moment int) (sum stage.Presence) {
	for i := range moment {
		d := p.at(i)
		for _, total := range []struct {
			on  bool
			add *time.Duration
		}{{d.connected, &sum.ConnectedFor}, {d.publishing, &sum.PublishingFor}, {d.subscribed != "", &sum.SubscribedFor}} {
			if total.on {
				*total.add += time.Second
			}
		}
	}
	d := p.at(moment)
	sum.Connected, sum.Publishing, sum.Published = d.connected, d.publishing, d.published
	return sum
}

// intervals are the stretches of seconds up to a moment in which something went on.
func (l *life) intervals(p *soul, moment int) []string {
	list, publishers := []string{}, map[string]bool{}
	note := func(a stage.Activity, publisher string, on func(doing) bool) {
		from := -1
		for i := range moment + 1 {
			switch is := on(p.at(i)); {
			case is && from < 0:
				from = i
			case !is && from >= 0:
				list = append(list, spell(stage.Interval{Activity: a, Publisher: publisher, From: l.time(from), To: l.time(i)}))
				from = -1
			}
		}
		if from >= 0 {
			list = append(list, spell(stage.Interval{Activity: a, Publisher: publisher, From: l.time(from), To: l.time(moment), Open: true}))
		}
	}
	for i := range moment + 1 {
		for publisher := range strings.FieldsSeq(p.at(i).subscribed) {
			publishers[publisher] = true
		}
	}
	note(stage.Connected, "", func(d doing) bool { return d.connected })
	note(stage.Publishing, "", func(d doing) bool { return d.publishing })
	for id := range publishers {
		note(stage.Subscribed, id, func(d doing) bool { return slices.Contains(strings.Fields(d.subscribed), id) })
	}
	slices.Sort(list)
	return list
}

func spell(i stage.Interval) string {
	return fmt.Sprintf("%s %s %s-%s %v", i.Activity, i.Publisher, i.From.UTC().Format(time.TimeOnly), i.To.UTC().Format(time.TimeOnly), i.Open)
}

// spelled leaves out what was over in the second it began, which a crash can make.
func spelled(list []stage.Interval) []string {
	texts := []string{}
	for _, i := range list {
		if i.Open || i.From.Before(i.To) {
			texts = append(texts, spell(i))
		}
	}
	slices.Sort(texts)
	return texts
}

// conditions sets some at random and gives what they mean for the model.
func (l *life) conditions(q *stage.Inquiry, moment int) (meant func(*soul) bool) {
	var all []func(*soul) bool
	add := func(f func(*soul) bool) { all = append(all, f) }
	yes := l.rng.IntN(2) == 0
	for _, kind := range l.rng.Perm(9)[:l.rng.IntN(4)] {
		switch kind {
		case 0:
			q.Connected = &yes
			add(func(p *soul) bool { return p.at(moment).connected == yes })
		case 1:
			q.Published = &yes
			add(func(p *soul) bool { return p.at(moment).published == yes })
		case 2:
			q.Publishing = &yes
			add(func(p *soul) bool { return p.at(moment).publishing == yes })
		case 3:
			user := l.pick("", "ann", "nobody")
			q.UserID = &user
			add(func(p *soul) bool { return p.user == user })
		case 4:
			prefix := l.pick("", "an", "zoë", "zo")
			q.UserPrefix = prefix
			add(func(p *soul) bool { return strings.HasPrefix(p.user, prefix) })
		case 5:
			role := l.pick("host", "guest", `x"role`)
			q.Attributes = map[string]string{"n": "1", "role": role}
			add(func(p *soul) bool { return p.role == role })
		case 6:
			from, before := l.rng.IntN(moment+1), l.rng.IntN(moment+2)
			q.JoinedFrom, q.JoinedBefore = l.time(from), l.time(before)
			add(func(p *soul) bool { return p.first >= from && p.first < before })
		case 7:
			over := l.rng.IntN(30)
			q.PresentOver = time.Duration(over) * time.Second
			add(func(p *soul) bool { return over == 0 || p.presence(moment).ConnectedFor > q.PresentOver })
		case 8:
			if q.At.IsZero() { // which is how it publishes last
				q.Protocol = stage.ProtocolWHIP
				add(func(p *soul) bool { return p.now.published })
			}
		}
	}
	return func(p *soul) bool {
		return p.first <= moment && !slices.ContainsFunc(all, func(f func(*soul) bool) bool { return !f(p) })
	}
}

func groupsOf(people []*soul, of func(*soul) string) map[string]int64 {
	groups := map[string]int64{}
	for _, p := range people {
		groups[of(p)]++
	}
	return groups
}

func truth(b bool) string { return strconv.FormatBool(b) }
