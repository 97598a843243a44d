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
	t = t.UTC().Truncate(time.Millisecond)
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return append(t.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
	}
	hour, minute, second := t.Clock()
	b = appendDigits(append(b, '"'), year, 4)
	b = appendDigits(append(b, '-'), int(month), 2)
	b = appendDigits(append(b, '-'), day, 2)
	b = appendDigits(append(b, 'T'), hour, 2)
	b = appendDigits(append(b, ':'), minute, 2)
	b = appendDigits(append(b, ':'), second, 2)
	if ms := t.Nanosecond() / 1e6; ms > 0 {
		b = bytes.TrimRight(appendDigits(append(b, '.'), ms, 3), "0")
	}
	return append(b, 'Z', '"')
}

// appendDigits appends a number with leading zeros.
func appendDigits(b []byte, n, digits int) []byte {
	from := len(b)
	b = append(b, "0000"[:digits]...)
	for i := from + digits - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}
