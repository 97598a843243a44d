package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// A record of the journal is the statements of one batch with their arguments:
// run again, on what was there before, they do the same again, for they ask
// neither the clock nor chance. Integers of the head are little endian:
//
//	0  4 bytes "CBJ1"
//	4  CRC-32C of all that follows, without the padding
//	8  length of the statements in bytes
//	16 number of the record, one more than that of the one before
//	24 the statements, then zeros up to a multiple of [block]
//
// A statement is the number of its text in this record, the text if the number
// is new, how many arguments there are, and those: a letter for the type, then
// a varint, or a length and bytes.
const (
	recordMagic = "CBJ1"
	recordHead  = 24
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errRecord = errors.New("a record of the journal is not one that this program writes")

// draft is the record of the batch under way.
type draft struct {
	buf   []byte // begins with room for the head
	texts map[string]uint64
	order []string // texts by their number
	place draftPlace
}

// draftPlace is how far a draft was at some time.
type draftPlace struct{ bytes, texts int }

// reset begins a new record.
func (d *draft) reset() {
	if d.texts == nil || cap(d.buf) > 1<<20 { // the memory of an exceptional batch is not kept
		*d = draft{buf: make([]byte, recordHead, block), texts: map[string]uint64{}}
	}
	d.undo(draftPlace{recordHead, 0})
	d.place = draftPlace{recordHead, 0}
}

func (d *draft) now() draftPlace { return draftPlace{len(d.buf), len(d.order)} }

// undo takes out what was added since.
func (d *draft) undo(to draftPlace) {
	for _, text := range d.order[to.texts:] {
		delete(d.texts, text)
	}
	d.buf, d.order = d.buf[:to.bytes], d.order[:to.texts]
}

// add appends a statement.
func (d *draft) add(sql string, args ...any) {
	no, known := d.texts[sql]
	if !known {
		no = uint64(len(d.order))
		d.texts[sql], d.order = no, append(d.order, sql)
	}
	b := binary.AppendUvarint(d.buf, no)
	if !known {
		b = appendText(b, sql)
	}
	b = binary.AppendUvarint(b, uint64(len(args)))
	for _, arg := range args {
		switch v := arg.(type) {
		case int64:
			b = binary.AppendVarint(append(b, 'i'), v)
		case string:
			b = appendText(append(b, 't'), v)
		case bool:
			b = append(b, 'f')
			if v {
				b[len(b)-1] = 'y'
			}
		case time.Time:
			b = binary.AppendVarint(append(b, 'i'), millis(v))
		case []byte:
			b = appendText(append(b, 'b'), v)
		default:
			panic("store: an argument of a type that has no column")
		}
	}
	d.buf = b
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// seal gives the draft as the record of a number, which it is until the next reset.
func (d *draft) seal(no int64) []byte {
	length := len(d.buf) - recordHead
	copy(d.buf, recordMagic)
	binary.LittleEndian.PutUint64(d.buf[8:], uint64(length))
	binary.LittleEndian.PutUint64(d.buf[16:], uint64(no))
	binary.LittleEndian.PutUint32(d.buf[4:], crc32.Checksum(d.buf[8:], castagnoli))
	for len(d.buf)%block != 0 {
		d.buf = append(d.buf, make([]byte, block-len(d.buf)%block)...)
	}
	return d.buf
}

// record is one that was read.
type record struct {
	no         int64
	statements []byte
}

// readRecords finds the whole records in a journal, in the order in which they
// lie there. What is none is passed over: it was torn, or is the rest of an older one.
func readRecords(data []byte) (all []record) {
	for at := 0; at+recordHead <= len(data); {
		r, ok := readRecord(data[at:])
		if !ok {
			at += block
			continue
		}
		all = append(all, r)
		at += (recordHead + len(r.statements) + block - 1) / block * block
	}
	return all
}

func readRecord(data []byte) (r record, ok bool) {
	length := binary.LittleEndian.Uint64(data[8:])
	if string(data[:4]) != recordMagic || length > uint64(len(data)-recordHead) {
		return r, false
	}
	end := recordHead + int(length)
	r = record{int64(binary.LittleEndian.Uint64(data[16:])), data[recordHead:end]}
	return r, r.no > 0 && binary.LittleEndian.Uint32(data[4:]) == crc32.Checksum(data[8:end], castagnoli)
}

// each gives the statements of a record.
func (r record) each(do func(sql string, args []any) error) error {
	var texts []string
	for d := (decoder{rest: r.statements}); len(d.rest) > 0; {
		no := d.uvarint()
		if !d.bad && no == uint64(len(texts)) {
			texts = append(texts, string(d.text()))
		}
		n := d.uvarint()
		if d.bad || no >= uint64(len(texts)) || n > uint64(len(d.rest)) {
			return errRecord
		}
		args := make([]any, n)
		for i := range args {
			args[i] = d.arg()
		}
		if d.bad {
			return errRecord
		}
		if err := do(texts[no], args); err != nil {
			return fmt.Errorf("record %d of the journal: %w", r.no, err)
		}
	}
	return nil
}

// decoder reads what a draft has appended. Once something is bad, so is all that follows.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.took(n)
	return v
}

func (d *decoder) took(n int) {
	if n <= 0 {
		d.bad, d.rest = true, nil
		return
	}
	d.rest = d.rest[n:]
}

func (d *decoder) text() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	text := d.rest[:n]
	d.rest = d.rest[n:]
	return text
}

func (d *decoder) arg() any {
	if len(d.rest) == 0 {
		d.bad = true
		return nil
	}
	kind := d.rest[0]
	d.rest = d.rest[1:]
	switch kind {
	case 'i':
		v, n := binary.Varint(d.rest)
		d.took(n)
		return v
	case 't':
		return string(d.text())
	case 'b':
		return append([]byte{}, d.text()...)
	case 'f', 'y':
		return kind == 'y'
	}
	d.bad = true
	return nil
}
