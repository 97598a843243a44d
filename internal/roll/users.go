package roll

import "hash/maphash"

// users finds the newest row of a user id: a hash table of numbers with open
// addressing. An entry has half of its hash, so the table grows without looking
// at a single text; and it is split into parts as it gets large, each of which
// grows on its own, so that nobody ever waits for millions of entries to move.
type users struct {
	seed  maphash.Seed
	parts []part // one or manyParts
	bytes int    // of all entries
}

type part struct {
	entries []uint64 // hash and Seq, 32 bits each; 0 is free, gone was in use
	used    int      // entries that are not free
}

const (
	manyParts = 256
	splitAt   = 4096 // entries at which one part becomes many
	gone      = 1    // no Seq of a row can be in it: it is 1 with the hash 0, see hash
)

func newUsers() users { return users{seed: maphash.MakeSeed(), parts: make([]part, 1)} }

// hash gives a number whose high half is what entries keep of it, and never 0.
func (u *users) hash(userID string) uint64 { return maphash.String(u.seed, userID) | 1<<63 }

// part gives the part of a hash, or of an entry that has half of it.
func (u *users) part(hash uint64) *part { return &u.parts[hash>>55%uint64(len(u.parts))] }

func entry(hash uint64, seq uint32) uint64 { return hash>>32<<32 | uint64(seq) }

// find gives the entry with a hash for whose row is says yes.
func (u *users) find(hash uint64, is func(seq uint32) bool) (place *uint64, ok bool) {
	p := u.part(hash)
	if len(p.entries) == 0 {
		return nil, false
	}
	mask := uint64(len(p.entries) - 1)
	for i := hash >> 32 & mask; ; i = (i + 1) & mask {
		switch e := p.entries[i]; {
		case e == 0:
			return nil, false
		case e>>32 == hash>>32 && is(uint32(e)):
			return &p.entries[i], true
		}
	}
}

// add makes an entry for a user id that has none.
func (u *users) add(hash uint64, seq uint32) {
	p := u.part(hash)
	if len(u.parts) == 1 && p.used >= splitAt {
		u.split()
		p = u.part(hash)
	}
	if p.used >= len(p.entries)*3/4 {
		u.grow(p)
	}
	p.put(entry(hash, seq))
}

// split makes many parts of one.
func (u *users) split() {
	old := u.parts[0].entries
	u.parts = make([]part, manyParts)
	u.bytes = 32 * manyParts
	for _, e := range old {
		if e > gone {
			p := u.part(e)
			if p.used >= len(p.entries)*3/4 {
				u.grow(p)
			}
			p.put(e)
		}
	}
}

func (p *part) put(e uint64) {
	mask := uint64(len(p.entries) - 1)
	i := e >> 32 & mask
	for p.entries[i] > gone {
		i = (i + 1) & mask
	}
	if p.entries[i] == 0 {
		p.used++
	}
	p.entries[i] = e
}

// grow makes room, and leaves out what is gone.
func (u *users) grow(p *part) {
	live := 0
	for _, e := range p.entries {
		if e > gone {
			live++
		}
	}
	size := 8
	for size*3/8 <= live { // filled by less than three eighths, so it lasts
		size *= 2
	}
	old := p.entries
	p.entries, p.used = make([]uint64, size), 0
	u.bytes += 8 * (len(p.entries) - len(old))
	for _, e := range old {
		if e > gone {
			p.put(e)
		}
	}
}
