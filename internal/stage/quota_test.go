package stage_test

import (
	"path/filepath"
	"slices"
	"testing"

	"callboard/internal/stage"
)

func TestEveryDemandForAResourceIsToldWithHowManyThereWere(t *testing.T) {
	var told []stage.Demand
	w := newWorldWith(t, "", stage.Quotas{Stages: 2}, func(o *stage.Options) {
		o.Demanded = func(d stage.Demand) { told = append(told, d) }
	})
	w.stage()
	w.stage()
	_, _, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{})
	wantKind(t, err, stage.Quota)
	_, public := keyPair(t)
	_, err = w.ImportPublicKey(t.Context(), w.caller, "", public, nil)
	w.check(err)
	demand := func(quota string, had, limit int) stage.Demand {
		return stage.Demand{Quota: quota, Account: w.caller.Account, Region: w.caller.Region, Had: had, Limit: limit}
	}
	want := []stage.Demand{demand("stages", 0, 2), demand("stages", 1, 2), demand("stages", 2, 2), demand("public-keys", 0, 0)}
	if !slices.Equal(told, want) {
		t.Errorf("told %+v, not %+v", told, want)
	}
	if told[1].Refused() || !told[2].Refused() || told[3].Refused() {
		t.Error("only the third stage is refused")
	}
}

// Facts may be from before there was a limit.
func TestWhoIsAboveTheLimitIsToldBothFigures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "callboard.db")
	before := newWorldWith(t, path, stage.Quotas{})
	for range 3 {
		before.stage()
	}
	before.check(before.store.Close())
	w := newWorldWith(t, path, stage.Quotas{Stages: 2})
	_, _, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{})
	wantKind(t, err, stage.Quota)
	if want := "Account 123456789012 has 3 resources of type stage in region us-east-1; the limit is 2"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A storage configuration's quota is looked at twice, for its bucket takes time to look at.
func TestADemandThatIsCheckedTwiceIsToldOnce(t *testing.T) {
	var told []int
	w := newWorldWith(t, "", stage.Quotas{StorageConfigurations: 2}, func(o *stage.Options) {
		o.Demanded = func(d stage.Demand) { told = append(told, d.Had) }
	})
	for range 2 {
		_, err := w.CreateStorageConfiguration(t.Context(), w.caller, stage.NewStorageConfiguration{Bucket: "recordings"})
		w.check(err)
	}
	_, err := w.CreateStorageConfiguration(t.Context(), w.caller, stage.NewStorageConfiguration{Bucket: "recordings"})
	wantKind(t, err, stage.Quota)
	if want := []int{0, 1, 2}; !slices.Equal(told, want) {
		t.Errorf("told %v, not %v", told, want)
	}
}
