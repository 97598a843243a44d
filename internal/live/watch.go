package live

import (
	"maps"
	"reflect"
	"slices"
	"sync"

	"callboard/internal/stage"
)

// Sighting is news of one person, for the floors of other processes.
type Sighting struct {
	Stage  stage.ARN
	ID     string
	Person *Person // nil: has left
}

// Watch collects whom there is news of among the people that this process
// holds. However slow its reader, it never holds more than one mark for each.
type Watch struct {
	floor   *Floor
	changed chan struct{}

	mu     sync.Mutex
	marks  map[key]struct{}
	shares map[share]struct{}
}

// Watch begins to watch; everybody who is here is news. Close ends it.
func (f *Floor) Watch() *Watch {
	w := &Watch{floor: f, changed: make(chan struct{}, 1), marks: make(map[key]struct{}), shares: make(map[share]struct{})}
	f.mu.Lock()
	f.watches[w] = struct{}{}
	f.watched.Store(int32(len(f.watches)))
	casts := maps.Clone(f.casts)
	f.mu.Unlock()
	for arn, c := range casts {
		for _, id := range c.held() {
			w.mark(key{arn, id})
		}
	}
	for _, s := range f.tally.shares() {
		w.markShare(s)
	}
	return w
}

// Close ends the watch.
func (w *Watch) Close() {
	w.floor.mu.Lock()
	defer w.floor.mu.Unlock()
	delete(w.floor.watches, w)
	w.floor.watched.Store(int32(len(w.floor.watches)))
}

// Changed is ready when there is news.
func (w *Watch) Changed() <-chan struct{} { return w.changed }

// Take gives the news so far, at most limit of it.
func (w *Watch) Take(limit int) []Sighting {
	w.mu.Lock()
	var keys []key
	for k := range w.marks {
		if len(keys) == limit {
			wake(w.changed)
			break
		}
		keys = append(keys, k)
		delete(w.marks, k)
	}
	w.mu.Unlock()
	news := make([]Sighting, 0, len(keys))
	for _, k := range keys {
		news = append(news, Sighting{k.stage, k.id, w.floor.look(k)})
	}
	return news
}

func (w *Watch) mark(k key) {
	w.mu.Lock()
	w.marks[k] = struct{}{}
	w.mu.Unlock()
	wake(w.changed)
}

// note marks somebody for every watch.
func (f *Floor) note(k key) { f.eachWatch(func(w *Watch) { w.mark(k) }) }

// eachWatch costs nothing where nobody watches.
func (f *Floor) eachWatch(do func(*Watch)) {
	if f.watched.Load() == 0 {
		return
	}
	f.mu.Lock()
	watches := slices.Collect(maps.Keys(f.watches))
	f.mu.Unlock()
	for _, w := range watches {
		do(w)
	}
}

// look gives what others may know of somebody whom this process holds.
func (f *Floor) look(k key) *Person {
	who := f.person(k.stage, k.id)
	if who == nil || who.home != "" {
		return nil
	}
	who.cast.mu.Lock()
	defer who.cast.mu.Unlock()
	if who.gone {
		return nil
	}
	public := who.public
	return &public
}

// See shows, or hides, somebody whom another process holds.
func (f *Floor) See(home string, s Sighting) {
	if s.Person == nil {
		f.lose(home, s)
		return
	}
	c := f.cast(s.Stage)
	more, ours := c.see(home, *s.Person)
	if !more {
		f.drop(c, s.Stage, 0)
	}
	if ours {
		f.confirm(key{s.Stage, s.ID})
	}
}

// confirm has somebody whom this process has look whether it holds them still, and
// end everything if not: the lease may have run out for a moment in which they came
// to another process, and nothing that would have to be recorded happened since.
func (f *Floor) confirm(k key) {
	p := f.find(k)
	if p == nil {
		return
	}
	p.request(func() {
		if p.entry != nil {
			p.record()
		}
	})
}

func (f *Floor) lose(home string, s Sighting) {
	who := f.person(s.Stage, s.ID)
	if who != nil && who.home == home {
		f.hide(s.Stage, who)
	}
}

// held lists whom this process holds.
func (c *cast) held() (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, who := range c.people {
		if who.home == "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// see shows somebody whom another process holds, and tells whether that is one
// more person than before, and whether it was one of ours. Word of those who have
// joined somewhere else since comes too late.
func (c *cast) see(home string, public Person) (more, ours bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	who := c.people[public.ID]
	if who != nil && who.public.JoinedAt.After(public.JoinedAt) {
		return false, false
	}
	if who == nil || who.home != home {
		instead := c.put(&person{cast: c, home: home, public: public, followers: make(map[*reception]struct{})})
		ours = instead != nil && instead.home == ""
		return instead == nil || ours, ours // somebody of ours is counted until it is hidden
	}
	if reflect.DeepEqual(who.public, public) {
		return false, false // a new link tells all again
	}
	shown := c.shown(who)
	who.public = public
	delete(c.publishing, public.ID)
	if public.Publishing {
		c.publishing[public.ID] = who
	}
	c.changed(who, shown || c.shown(who))
	return false, false
}
