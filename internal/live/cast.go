package live

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"callboard/internal/sfu"
)

// cast is the people who are live on one stage, and what they may see of each other.
type cast struct {
	limit   int             // up to how many people those who do not publish are shown
	members int             // guarded by Floor.mu; people lags behind it a little
	note    func(id string) // told when somebody whom this process holds has changed; quick

	mu         sync.Mutex
	people     map[string]*person
	publishing map[string]*person
	version    int64     // grows with each change
	snapshot   *Snapshot // nil when it has to be made again
}

// person is one of a cast. Its fields are guarded by the cast's lock.
type person struct {
	cast        *cast
	home        string // the process that holds them, if it is another one
	public      Person
	publication *sfu.Publication // nil while not publishing, and for others' people
	told        [2]bool          // audio muted, video stopped: by its own word
	silent      [2]bool          // by the lack of packets
	followers   map[*reception]struct{}
	looker      *Attendance // the socket, which is told about changes; nil without one
	gone        bool
}

func newCast(limit int, version int64, note func(id string)) *cast {
	return &cast{
		limit:      limit,
		version:    version,
		note:       note,
		people:     make(map[string]*person),
		publishing: make(map[string]*person),
	}
}

// add takes a participant of this process in; instead tells of the same one in
// another process, whose leaving there is still to be heard of.
func (c *cast) add(public Person) (who, instead *person) {
	c.mu.Lock()
	defer c.mu.Unlock()
	who = &person{cast: c, public: public, followers: make(map[*reception]struct{})}
	return who, c.put(who)
}

// put has who stand for its id, in the place of the one it gives. The lock is held.
func (c *cast) put(who *person) (instead *person) {
	id := who.public.ID
	instead = c.people[id]
	if instead != nil {
		delete(c.publishing, id)
	}
	c.people[id] = who
	if who.public.Publishing {
		c.publishing[id] = who
	}
	c.changed(who, instead != nil || who.public.Publishing || len(c.people) <= c.limit+1)
	return instead
}

// remove takes who out and gives the last version.
func (c *cast) remove(who *person) int64 {
	c.mu.Lock()
	who.gone, who.publication = true, nil
	if c.people[who.public.ID] == who {
		delete(c.people, who.public.ID)
		delete(c.publishing, who.public.ID)
	}
	c.changed(who, who.public.Publishing || len(c.people) <= c.limit)
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
	if a != nil { // who comes from another process has seen that one's numbers
		c.version = max(c.version, time.Now().UnixMilli())
	}
}

func (c *cast) unwatch(who *person) { c.watch(who, nil) }

// changed counts the version up and wakes whoever sees the difference: all,
// or who alone if others do not get to see it. The lock is held.
func (c *cast) changed(who *person, others bool) {
	c.version++
	if who.home == "" {
		c.note(who.public.ID)
	}
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
	return who.public.Publishing || len(c.people) <= c.limit
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
	p.publication, p.silent = publication, [2]bool{}
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
	p.publication, p.silent = nil, [2]bool{}
	p.public.Publishing = false
	p.public.AudioMuted, p.public.VideoStopped = p.told[0], p.told[1]
	delete(c.publishing, p.public.ID)
	c.changed(p, true)
	c.mu.Unlock()
	p.tellFollowers()
}

// mute shows what p says through the socket that it has.
func (p *person) mute(by *Attendance, audio, video bool) {
	p.cast.mu.Lock()
	defer p.cast.mu.Unlock()
	if p.looker == by {
		p.told = [2]bool{audio, video}
		p.hush()
	}
}

// silence notes of which kind no packets come from the publication that is shown. Of one that it does not have, none do.
func (p *person) silence(publication *sfu.Publication, silent [2]bool) {
	p.cast.mu.Lock()
	defer p.cast.mu.Unlock()
	if p.publication == publication {
		audio, video := publication.Kinds()
		p.silent = [2]bool{silent[0] || !audio, silent[1] || !video}
		p.hush()
	}
}

// hush shows what is muted or has stopped, by word or in deed. The lock is held.
func (p *person) hush() {
	audio, video := p.told[0] || p.silent[0], p.told[1] || p.silent[1]
	if p.public.AudioMuted == audio && p.public.VideoStopped == video {
		return
	}
	p.public.AudioMuted, p.public.VideoStopped = audio, video
	p.cast.changed(p, p.cast.shown(p))
}

// source is what p publishes now, nil if nothing; gone when p has left for good.
func (p *person) source() (publication *sfu.Publication, gone bool) {
	p.cast.mu.Lock()
	defer p.cast.mu.Unlock()
	return p.publication, p.gone
}

// follow has r told of every change of source that comes after.
func (p *person) follow(r *reception) {
	p.cast.mu.Lock()
	defer p.cast.mu.Unlock()
	p.followers[r] = struct{}{}
}

func (p *person) unfollow(r *reception) {
	p.cast.mu.Lock()
	defer p.cast.mu.Unlock()
	delete(p.followers, r)
}

// tellFollowers has every subscriber look at p again.
func (p *person) tellFollowers() {
	p.cast.mu.Lock()
	followers := slices.Collect(maps.Keys(p.followers))
	p.cast.mu.Unlock()
	for _, r := range followers {
		r.post(r.follow)
	}
}
