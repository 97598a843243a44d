package live

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"callboard/internal/sfu"
)

// cast is the people who are live on one stage, and what they may see of each other.
type cast struct {
	limit   int // up to how many people those who do not publish are shown
	members int // guarded by Floor.mu; people lags behind it a little

	mu         sync.Mutex
	people     map[string]*person
	publishing map[string]*person
	version    int64     // grows with each change
	snapshot   *Snapshot // nil when it has to be made again
}

// person is one of a cast. Its fields are guarded by the cast's lock.
type person struct {
	cast        *cast
	public      Person
	publication *sfu.Publication // nil while not publishing
	followers   map[*Media]struct{}
	looker      *Attendance // who is told about changes; nil without a socket
	gone        bool
}

func newCast(limit int, version int64) *cast {
	return &cast{
		limit:      limit,
		version:    version,
		people:     make(map[string]*person),
		publishing: make(map[string]*person),
	}
}

func (c *cast) add(public Person) *person {
	c.mu.Lock()
	defer c.mu.Unlock()
	who := &person{cast: c, public: public, followers: make(map[*Media]struct{})}
	c.people[public.ID] = who
	c.changed(who, len(c.people) <= c.limit+1)
	return who
}

// remove takes who out and gives the last version.
func (c *cast) remove(who *person) int64 {
	c.mu.Lock()
	published := who.publication != nil
	who.gone, who.publication = true, nil
	delete(c.people, who.public.ID)
	delete(c.publishing, who.public.ID)
	c.changed(who, published || len(c.people) <= c.limit)
	version := c.version
	c.mu.Unlock()
	who.tellFollowers()
	return version
}

func (c *cast) find(id string) *person {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.people[id]
}

func (c *cast) watch(who *person, a *Attendance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	who.looker = a
}

func (c *cast) unwatch(who *person) { c.watch(who, nil) }

// changed counts the version up and wakes whoever sees the difference: all,
// or who alone if others do not get to see it. The lock is held.
func (c *cast) changed(who *person, others bool) {
	c.version++
	if !others {
		who.wake()
		return
	}
	c.snapshot = nil
	for _, p := range c.people {
		p.wake()
	}
}

func (p *person) wake() {
	if p.looker != nil {
		wake(p.looker.changed)
	}
}

// shown tells whether others get to see who. The lock is held.
func (c *cast) shown(who *person) bool {
	return who.publication != nil || len(c.people) <= c.limit
}

// state is what who sees.
func (c *cast) state(who *person) State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.snapshot == nil {
		c.snapshot = c.look()
	}
	shown := len(c.snapshot.People)
	if !c.shown(who) {
		shown++ // to itself
	}
	return State{Version: c.version, Local: who.public, Common: c.snapshot, Truncated: shown < len(c.people)}
}

// look makes a new snapshot. It costs as many steps as there are people shown.
func (c *cast) look() *Snapshot {
	visible := c.publishing
	if len(c.people) <= c.limit {
		visible = c.people
	}
	people := make([]Person, 0, len(visible))
	for who := range maps.Values(visible) {
		people = append(people, who.public)
	}
	slices.SortFunc(people, func(a, b Person) int {
		return cmp.Or(a.JoinedAt.Compare(b.JoinedAt), strings.Compare(a.ID, b.ID))
	})
	return &Snapshot{People: people}
}

// publish shows who as publishing and has its subscriptions go on with it.
func (p *person) publish(publication *sfu.Publication) {
	c := p.cast
	c.mu.Lock()
	p.publication = publication
	p.public.Publishing = true
	p.public.PublishEpoch++
	c.publishing[p.public.ID] = p
	c.changed(p, true)
	c.mu.Unlock()
	p.tellFollowers()
}

// unpublish shows who as not publishing.
func (p *person) unpublish() {
	c := p.cast
	c.mu.Lock()
	p.publication = nil
	p.public.Publishing = false
	delete(c.publishing, p.public.ID)
	c.changed(p, true)
	c.mu.Unlock()
	p.tellFollowers()
}

func (p *person) mute(audio, video bool) {
	c := p.cast
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.public.AudioMuted == audio && p.public.VideoStopped == video {
		return
	}
	p.public.AudioMuted, p.public.VideoStopped = audio, video
	c.changed(p, c.shown(p))
}

// source is what p publishes now, nil if nothing; gone when p has left for good.
func (p *person) source() (publication *sfu.Publication, gone bool) {
	p.cast.mu.Lock()
	defer p.cast.mu.Unlock()
	return p.publication, p.gone
}

// follow has m told of every change of source that comes after.
func (p *person) follow(m *Media) {
	p.cast.mu.Lock()
	defer p.cast.mu.Unlock()
	p.followers[m] = struct{}{}
}

func (p *person) unfollow(m *Media) {
	p.cast.mu.Lock()
	defer p.cast.mu.Unlock()
	delete(p.followers, m)
}

// tellFollowers has every subscriber look at p again.
func (p *person) tellFollowers() {
	p.cast.mu.Lock()
	followers := slices.Collect(maps.Keys(p.followers))
	p.cast.mu.Unlock()
	for _, m := range followers {
		m.owner.post(func() { m.owner.follow(m) })
	}
}
