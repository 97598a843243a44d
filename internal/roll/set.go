package roll

import "math/bits"

// set is a set of small numbers that can tell its greatest member below a
// bound. It is a tree of bitmaps: a bit of one level says whether a word of
// the level below has any bit, so a search touches at most one word up and one
// down on each of its levels, of which there are four for ten million numbers.
type set struct {
	levels [][]uint64 // the members first; the last level has one word
}

const (
	wordBits = 64
	wordLog  = 6
)

// add puts n in.
func (s *set) add(n uint32) {
	s.reach(n)
	for l := range s.levels {
		word := &s.levels[l][n>>wordLog]
		was := *word
		*word |= 1 << (n % wordBits)
		if was != 0 {
			return // the levels above know of this word
		}
		n >>= wordLog
	}
}

// reach makes room for n: each level as long as it must be, and as many as
// lead to a single word.
func (s *set) reach(n uint32) {
	for l := 0; ; l++ {
		words := int(n>>wordLog) + 1
		if l == len(s.levels) {
			s.levels = append(s.levels, nil)
			s.adopt(l)
		}
		for len(s.levels[l]) < words {
			s.levels[l] = append(s.levels[l], 0)
		}
		n >>= wordLog
		if n == 0 && l == len(s.levels)-1 {
			return
		}
	}
}

// adopt makes a new level know what is below it already.
func (s *set) adopt(l int) {
	if l == 0 {
		return
	}
	for i, word := range s.levels[l-1] {
		for len(s.levels[l]) <= i>>wordLog {
			s.levels[l] = append(s.levels[l], 0)
		}
		if word != 0 {
			s.levels[l][i>>wordLog] |= 1 << (i % wordBits)
		}
	}
}

// remove takes n out, if it is in.
func (s *set) remove(n uint32) {
	for l := range s.levels {
		i := n >> wordLog
		if int(i) >= len(s.levels[l]) {
			return
		}
		s.levels[l][i] &^= 1 << (n % wordBits)
		if s.levels[l][i] != 0 {
			return
		}
		n = i
	}
}

// below gives the greatest member less than n; false if there is none.
func (s *set) below(n uint32) (uint32, bool) {
	for l := range s.levels {
		level := s.levels[l]
		i := n >> wordLog
		if int(i) >= len(level) { // all of the level is below
			i = uint32(len(level) - 1)
			if found := level[i]; found != 0 {
				return s.descend(l, i<<wordLog|top(found)), true
			}
		} else if found := level[i] & (1<<(n%wordBits) - 1); found != 0 {
			return s.descend(l, i<<wordLog|top(found)), true
		}
		n = i
	}
	return 0, false
}

// descend gives the greatest member under the bit n of level l.
func (s *set) descend(l int, n uint32) uint32 {
	for l > 0 {
		l--
		n = n<<wordLog | top(s.levels[l][n])
	}
	return n
}

// top gives the number of the highest bit of a word that has one.
func top(word uint64) uint32 { return uint32(wordBits - 1 - bits.LeadingZeros64(word)) }

// len counts the members.
func (s *set) len() int {
	n := 0
	if len(s.levels) > 0 {
		for _, word := range s.levels[0] {
			n += bits.OnesCount64(word)
		}
	}
	return n
}

// bytes is the memory the set takes.
func (s *set) bytes() int {
	n := 0
	for _, level := range s.levels {
		n += 8 * cap(level)
	}
	return n
}
