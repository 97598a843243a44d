package api

import "time"

// timestamp is a time on the wire: ISO 8601 in UTC with at most three digits
// of fraction, none when it is zero. Pages and sorting use the full time.
type timestamp struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return appendTime(make([]byte, 0, 26), t.Time), nil
}

// appendTime appends a time as a JSON string.
func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().Truncate(time.Millisecond).AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}
