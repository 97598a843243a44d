package live

import (
	"time"

	"callboard/internal/stage"
)

// show puts a participant who has just joined into the cast of its stage.
func (f *Floor) show(arn stage.ARN, joined Person) *person {
	c := f.cast(arn)
	who, instead := c.add(joined)
	if instead != nil { // its other home has said goodbye to it, or will
		f.drop(c, arn, 0)
	}
	return who
}

// cast gives the cast of a stage, with room for one more.
func (f *Floor) cast(arn stage.ARN) *cast {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.casts[arn]
	if c == nil {
		// Beginning at the time of day keeps the numbers growing for a client that
		// comes back after a restart. A stage cannot change a thousand times a
		// second for long, so the clock stays ahead of them.
		begin := max(time.Now().UnixMilli(), f.highest)
		c = newCast(f.ListViewersUpTo, begin, func(id string) { f.note(key{arn, id}) })
		f.casts[arn] = c
	}
	c.members++
	return c
}

// hide takes a participant who has left out of the cast of its stage.
func (f *Floor) hide(arn stage.ARN, who *person) {
	f.drop(who.cast, arn, who.cast.remove(who))
}

// drop gives back the room of one person; the last one's is the end of the cast.
func (f *Floor) drop(c *cast, arn stage.ARN, version int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.members--; c.members == 0 {
		delete(f.casts, arn)
		f.highest = max(f.highest, version)
	}
}

// person finds somebody who is connected to a stage; nil if nobody by that id is.
func (f *Floor) person(arn stage.ARN, id string) *person {
	f.mu.Lock()
	c := f.casts[arn]
	f.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.find(id)
}

// arriving tells whether somebody who is not connected has a request under way,
// so may be at any moment.
func (f *Floor) arriving(arn stage.ARN, id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.people[key{arn, id}] != nil
}
