package server

import (
	"slices"
	"testing"

	"callboard/internal/api"
	"callboard/internal/quota"
)

// A rate of AWS that is meant for an operation which the API does not have
// would bound nothing.
func TestTheRatesOfAWSAreThoseOfOperationsThatExist(t *testing.T) {
	t.Parallel()
	rates := map[float64][]string{}
	for _, operation := range api.Operations() {
		r := quota.AWS().Rate(operation)
		rates[r] = append(rates[r], operation)
	}
	for r, want := range map[float64][]string{
		50: {"CreateParticipantToken"},
		3:  {"DeletePublicKey", "GetPublicKey", "ImportPublicKey", "ListPublicKeys"},
		10: {"ListTagsForResource", "TagResource", "UntagResource"},
	} {
		if slices.Sort(rates[r]); !slices.Equal(rates[r], want) {
			t.Errorf("%v calls per second are for %q, not for %q", r, rates[r], want)
		}
	}
	if n := len(rates[5]); n != 31 {
		t.Errorf("5 calls per second are for %d operations, not for 31", n)
	}
}
