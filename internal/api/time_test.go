package api

import (
	"testing"
	"time"
)

func FuzzTimeIsWrittenAsItsLayoutSays(f *testing.F) {
	for _, ms := range []int64{0, 1, 10, 100, 120, 123, 1767225600000, 1767225600089, -1, -62135596800000, 253402300799999, 253402300800000} {
		f.Add(ms, int64(0))
		f.Add(ms, int64(999_999))
	}
	f.Fuzz(func(t *testing.T, ms, ns int64) {
		at := time.UnixMilli(ms % 1e15).Add(time.Duration(ns % 1e9))
		want := `"` + at.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) + `"`
		if got := string(appendTime(nil, at)); got != want {
			t.Errorf("%d ms and %d ns: got %s, want %s", ms, ns, got, want)
		}
	})
}

func BenchmarkAppendTime(b *testing.B) {
	at := time.UnixMilli(1767225600089)
	var buf []byte
	for b.Loop() {
		buf = appendTime(buf[:0], at)
	}
}
