package main

import (
	"slices"
	"testing"
)

func TestACondensedCurveKeepsTheExtremesAndTheLastCount(t *testing.T) {
	t.Parallel()
	c := curve{Buckets: []bucket{
		{Connected: extent{0, 4, 3}}, {Connected: extent{1, 3, 1}}, {Connected: extent{1, 9, 2}},
		{Connected: extent{2, 2, 2}}, {Connected: extent{0, 2, 0}, Publishing: extent{0, 1, 0}},
	}}
	c.condense(5)
	if len(c.Buckets) != 5 {
		t.Fatalf("%d buckets fit and became %d", 5, len(c.Buckets))
	}
	c.condense(2)
	want := []bucket{{Connected: extent{0, 9, 2}}, {Connected: extent{0, 2, 0}, Publishing: extent{0, 1, 0}}}
	if !slices.Equal(c.Buckets, want) {
		t.Errorf("got %v, want %v", c.Buckets, want)
	}
}
