package roll

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestASetTellsItsGreatestMemberBelowABound(t *testing.T) {
	t.Parallel()
	for _, reach := range []uint32{1, 63, 64, 65, 4095, 4096, 4097, 300_000} {
		rng := rand.New(rand.NewPCG(uint64(reach), 1))
		var s set
		var oracle []uint32 // sorted
		for range 2000 {
			n := rng.Uint32N(reach)
			at, found := slices.BinarySearch(oracle, n)
			switch {
			case rng.IntN(3) > 0:
				s.add(n)
				if !found {
					oracle = slices.Insert(oracle, at, n)
				}
			default:
				s.remove(n)
				if found {
					oracle = slices.Delete(oracle, at, at+1)
				}
			}
			bound := rng.Uint32N(reach + 200)
			at, _ = slices.BinarySearch(oracle, bound)
			got, ok := s.below(bound)
			if ok != (at > 0) || ok && got != oracle[at-1] {
				t.Fatalf("up to %d: below %d is %d (%v), want among %d members", reach, bound, got, ok, len(oracle))
			}
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add([]byte{1, 0, 0, 2, 0, 1, 3, 255, 255})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var s set
		oracle := map[uint32]bool{}
		for ; len(steps) >= 3; steps = steps[3:] {
			n := uint32(steps[1])<<8 | uint32(steps[2])
			switch steps[0] % 3 {
			case 0:
				s.add(n)
				oracle[n] = true
			case 1:
				s.remove(n)
				delete(oracle, n)
			case 2:
				want, ok := uint32(0), false
				for m := range oracle {
					if m < n && (!ok || m > want) {
						want, ok = m, true
					}
				}
				if got, found := s.below(n); found != ok || got != want {
					t.Fatalf("below %d is %d (%v), want %d (%v)", n, got, found, want, ok)
				}
			}
		}
	})
}
