package api

import (
	"bytes"
	"time"
)

// timestamp is a time on the wire: ISO 8601 in UTC with at most three digits
// of fraction, none when it is zero. Pages and sorting use the full time.
type timestamp struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return appendTime(make([]byte, 0, 26), t.Time), nil
}

// appendTime appends a time as a JSON string. A page of the roll has fifty of
// them, so it does not go through a layout.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return append(t.Truncate(time.Millisecond).AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
	}
	const daily = 24 * 60 * 60
	second := int((t.Unix()%daily + daily) % daily) // of the day, before 1970 as well
	from := len(b)
	b = append(b, `"0000-00-00T00:00:00`...)
	text := b[from:]
	putDigits(text[1:], year/100)
	putDigits(text[3:], year%100)
	putDigits(text[6:], int(month))
	putDigits(text[9:], day)
	putDigits(text[12:], second/3600)
	putDigits(text[15:], second/60%60)
	putDigits(text[18:], second%60)
	if ms := t.Nanosecond() / 1e6; ms > 0 {
		fraction := [...]byte{'.', byte('0' + ms/100), '0', '0'}
		putDigits(fraction[2:], ms%100)
		b = bytes.TrimRight(append(b, fraction[:]...), "0")
	}
	return append(b, 'Z', '"')
}

// putDigits writes the two digits of n.
func putDigits(to []byte, n int) {
	to[0], to[1] = byte('0'+n/10), byte('0'+n%10)
}
