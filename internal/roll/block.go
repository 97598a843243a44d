package roll

import (
	"encoding/binary"
	"unsafe"
)

// blockRows is how many rows a block has: few enough that the block of a small
// session is small, many enough that a large session has few.
const blockRows = 256

// none is the end of a chain; no row has it for its Seq.
const none = 0

// block is some rows that follow each other.
type block struct {
	words  []byte // ids and user ids; the one pointer, so it stands first
	unused int    // bytes of words that no row needs any more
	rows   [blockRows]place
}

// place is one row but for its texts; what a page reads of it is together, so
// that it costs one look into distant memory.
type place struct {
	joined int64
	start  uint32 // of the id in words
	older  uint32 // Seq of the next lower row with the same user id
	newer  uint32 // Seq of the next higher one
	flags  flags
}

const blockBytes = int(unsafe.Sizeof(block{}))

// write puts the texts of a row at the end of words: a length, the id, a
// length, the user id.
func (b *block) write(i int, id, userID string) {
	b.rows[i].start = uint32(len(b.words))
	b.words = appendText(appendText(b.words, id), userID)
}

func appendText(to []byte, text string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

// rewrite gives a row other texts.
func (b *block) rewrite(i int, id, userID string) {
	oldID, oldUserID := b.text(i)
	b.unused += len(oldID) + len(oldUserID) + 2 // and the two lengths
	b.write(i, id, userID)
	if b.unused > 4096 && b.unused > len(b.words)/2 {
		b.tidy()
	}
}

// tidy leaves out the texts that no row needs any more.
func (b *block) tidy() {
	old := *b
	b.words, b.unused = make([]byte, 0, len(old.words)-old.unused), 0
	for i := range blockRows {
		if old.rows[i].flags != absent {
			id, user := old.text(i)
			b.write(i, string(id), string(user))
		}
	}
}

// text gives a row's id and user id, borrowed from words: valid until the block
// is written to.
func (b *block) text(i int) (id, userID []byte) {
	id, rest := cutText(b.words[b.rows[i].start:])
	userID, _ = cutText(rest)
	return id, userID
}

func cutText(words []byte) (text, rest []byte) {
	n, size := binary.Uvarint(words)
	end := size + int(n)
	return words[size:end], words[end:]
}

// row reads one row, but for its texts.
func (b *block) row(seq uint32, i int) Row {
	p := &b.rows[i]
	return Row{
		Seq:       int64(seq),
		Connected: p.flags&isConnected != 0,
		Published: p.flags&isPublished != 0,
		Recording: uint8(p.flags>>recordingShift) & 7,
		FirstJoin: p.joined,
	}
}

// flags is what one can filter by, but for the user id.
type flags uint8

const (
	absent         flags = 0 // nobody has this place
	isPresent      flags = 1
	isConnected    flags = 2
	isPublished    flags = 4
	recordingShift       = 3
)

func (row *Row) flags() flags {
	f := isPresent | flags(row.Recording&7)<<recordingShift
	if row.Connected {
		f |= isConnected
	}
	if row.Published {
		f |= isPublished
	}
	return f
}

// Numbers of the sets in Roll.which: for each flag one of the rows that do not
// have it and one of those that do, and one for each recording state.
const (
	connectedNo = 0
	publishedNo = 2
	recordingNo = 4
)

// sets tells the numbers of the sets that a row with these flags is in.
func (f flags) sets() [3]uint8 {
	return [3]uint8{
		flag(f&isConnected != 0, connectedNo),
		flag(f&isPublished != 0, publishedNo),
		recordingNo + uint8(f>>recordingShift)&7,
	}
}

func flag(on bool, no uint8) uint8 {
	if on {
		return no + 1
	}
	return no
}
