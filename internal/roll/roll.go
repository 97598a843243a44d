package roll

import (
	"math"
	"sync"
)

// Row is what a list shows of one participant.
type Row struct {
	Seq       int64 // join sequence in the session, from 1; never changes
	ID        string
	UserID    string
	Connected bool
	Published bool
	Recording uint8 // less than 8
	FirstJoin int64 // milliseconds since 1970
}

// Query asks for the rows with a Seq less than Before, all if Before is 0, the
// greatest first, at most Limit. At most one of the filters is set.
type Query struct {
	Before    int64
	Limit     int
	UserID    *string
	Connected *bool
	Published *bool
	Recording *uint8
}

// MaxSeq is the greatest join sequence number that a roll can hold.
const MaxSeq = math.MaxUint32 - 1

// Roll is the participants of one session. It may be used by many goroutines at
// once: readers do not wait for each other, and a writer holds them up for
// about a microsecond.
type Roll struct {
	mu     sync.RWMutex
	blocks []*block // of blockRows rows each; nil where nobody is
	users  users
	here   set     // everybody
	which  [12]set // by the values of the flags; see flags.sets
	size   int

	blockBytes int // of all blocks with their texts
}

// New makes an empty roll.
func New() *Roll { return &Roll{users: newUsers()} }

// Put inserts a row, or replaces the one with its Seq. A Seq beyond [MaxSeq] or
// below 1 is a mistake of the caller and panics.
func (r *Roll) Put(row Row) {
	if row.Seq < 1 || row.Seq > MaxSeq {
		panic("roll: join sequence number out of range")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	seq := uint32(row.Seq)
	b, i := r.reach(seq)
	r.blockBytes -= cap(b.words)
	f := row.flags()
	if b.rows[i].flags == absent {
		b.write(i, row.ID, row.UserID)
		r.here.add(seq)
		r.size++
		r.chain(seq)
	} else if id, userID := b.text(i); string(id) != row.ID || string(userID) != row.UserID {
		r.unchain(seq)
		b.rewrite(i, row.ID, row.UserID)
		r.chain(seq)
	}
	b.rows[i].joined = row.FirstJoin
	r.sort(seq, b.rows[i].flags, f)
	b.rows[i].flags = f
	r.blockBytes += cap(b.words)
}

// reach gives the place of a row, making its block if need be.
func (r *Roll) reach(seq uint32) (*block, int) {
	n, i := seq/blockRows, int(seq%blockRows)
	for int(n) >= len(r.blocks) {
		r.blocks = append(r.blocks, nil)
	}
	if r.blocks[n] == nil {
		r.blocks[n] = new(block)
		r.blockBytes += blockBytes
	}
	return r.blocks[n], i
}

func (r *Roll) at(seq uint32) (*block, int) { return r.blocks[seq/blockRows], int(seq % blockRows) }

// sort moves a row from the sets of its old flags to those of the new ones.
func (r *Roll) sort(seq uint32, old, f flags) {
	if old == f {
		return
	}
	was, is := old.sets(), f.sets()
	for k := range is {
		if old != absent && was[k] == is[k] {
			continue
		}
		if old != absent {
			r.which[was[k]].remove(seq)
		}
		r.which[is[k]].add(seq)
	}
}

// Len is the number of rows.
func (r *Roll) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.size
}

// Bytes is about the memory that the roll takes.
func (r *Roll) Bytes() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := r.blockBytes + 8*cap(r.blocks) + r.users.bytes + r.here.bytes()
	for i := range r.which {
		n += r.which[i].bytes()
	}
	return n
}

// Page appends the rows that q asks for to rows. The texts of a page are parts
// of one string.
func (r *Roll) Page(q Query, rows []Row) []Row {
	from := len(rows)
	words := make([]byte, 0, 4096) // both on the stack for an ordinary page
	ends := make([]int, 0, 256)    // of each id and user id in words
	r.mu.RLock()
	for seq, ok := r.first(q); ok && len(rows)-from < q.Limit; seq, ok = r.next(q, seq) {
		b, i := r.at(seq)
		rows = append(rows, b.row(seq, i))
		id, userID := b.text(i)
		words = append(words, id...)
		ends = append(ends, len(words))
		words = append(words, userID...)
		ends = append(ends, len(words))
	}
	r.mu.RUnlock()
	text, start := string(words), 0
	for k := range rows[from:] {
		id, userID := ends[2*k], ends[2*k+1]
		rows[from+k].ID, rows[from+k].UserID = text[start:id], text[id:userID]
		start = userID
	}
	return rows
}

// Count counts the rows that pass the filter of q, which must not be one by user
// id, wherever they are. It takes a few microseconds for each million rows.
func (r *Roll) Count(q Query) int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.set(q).len()
}

// first gives the first row of a page.
func (r *Roll) first(q Query) (uint32, bool) {
	before := uint32(math.MaxUint32)
	if q.Before != 0 && q.Before < math.MaxUint32 {
		before = uint32(max(q.Before, 0))
	}
	if q.UserID == nil {
		return r.set(q).below(before)
	}
	return r.firstOf(*q.UserID, before)
}

// next gives the row that follows seq on a page.
func (r *Roll) next(q Query, seq uint32) (uint32, bool) {
	if q.UserID == nil {
		return r.set(q).below(seq)
	}
	b, i := r.at(seq)
	return b.rows[i].older, b.rows[i].older != none
}

// set gives the rows that pass a filter other than that of the user id.
func (r *Roll) set(q Query) *set {
	switch {
	case q.Connected != nil:
		return &r.which[flag(*q.Connected, connectedNo)]
	case q.Published != nil:
		return &r.which[flag(*q.Published, publishedNo)]
	case q.Recording != nil:
		return &r.which[recordingNo+*q.Recording%8]
	}
	return &r.here
}
