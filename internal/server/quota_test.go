package server_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"callboard/internal/api"
	"callboard/internal/quota"
	"callboard/internal/server"
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

func TestQuotasThatAreNotRightStopTheStartBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	cfg := server.Default()
	cfg.Listen, cfg.Media = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Data, cfg.Quotas = filepath.Join(t.TempDir(), "data"), seedFile(t, "stages: many\n")
	if _, err := server.New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "line 1: stages is") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(cfg.Data); !os.IsNotExist(err) {
		t.Errorf("something was made: %v", err)
	}
}
