package stage_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"callboard/internal/stage"
)

func (w *world) storage(bucket string) stage.StorageConfiguration {
	w.t.Helper()
	s, err := w.CreateStorageConfiguration(w.t.Context(), w.caller, stage.NewStorageConfiguration{Bucket: bucket})
	w.check(err)
	return s
}

// recordTo switches the recording of a stage to a storage configuration, or off.
func (w *world) recordTo(arn, storage stage.ARN) error {
	_, err := w.UpdateStage(w.t.Context(), w.caller, arn, stage.StageChange{
		Recording: &stage.RecordingChange{StorageConfigurationARN: storage.String()},
	})
	return err
}

func TestEachMemberOfAVideoHasItsOwnDefault(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		video stage.VideoRequest
		want  stage.Video
	}{
		{stage.VideoRequest{}, stage.Video{Width: 1280, Height: 720, Framerate: 30, Bitrate: 2_500_000}},
		{stage.VideoRequest{Width: new(640)}, stage.Video{Width: 640, Height: 720, Framerate: 30, Bitrate: 2_500_000}},
		{stage.VideoRequest{Height: new(2), Bitrate: new(1)}, stage.Video{Width: 1280, Height: 2, Framerate: 30, Bitrate: 1}},
		{stage.VideoRequest{Framerate: new(float32(23.976))}, stage.Video{Width: 1280, Height: 720, Framerate: 23.976, Bitrate: 2_500_000}},
		{stage.VideoRequest{Width: new(1920), Height: new(1080)}, stage.Video{Width: 1920, Height: 1080, Framerate: 30, Bitrate: 2_500_000}},
	} {
		e, err := w.CreateEncoderConfiguration(t.Context(), w.caller, stage.NewEncoderConfiguration{Video: c.video})
		w.check(err)
		read, err := w.EncoderConfiguration(t.Context(), w.caller, e.ARN)
		w.check(err)
		if e.Video != c.want || read.Video != c.want {
			t.Errorf("made %+v, read %+v, want %+v", e.Video, read.Video, c.want)
		}
	}
}

func TestAVideoHasEvenSidesAndABoundOfPixels(t *testing.T) {
	w := newWorld(t)
	for _, v := range [][2]int{{1281, 720}, {1280, 719}, {1920, 1082}, {1082, 1920}, {1920, 1920}} {
		_, err := w.CreateEncoderConfiguration(t.Context(), w.caller, stage.NewEncoderConfiguration{
			Video: stage.VideoRequest{Width: &v[0], Height: &v[1]},
		})
		wantKind(t, err, stage.Invalid)
	}
}

func TestConfigurationsHaveTheirQuotas(t *testing.T) {
	w := newWorldWith(t, "", stage.Quotas{EncoderConfigurations: 2, StorageConfigurations: 1, IngestConfigurations: 3})
	elsewhere := w.caller
	elsewhere.Region = "eu-west-1"
	for name, c := range map[string]struct {
		quota  int
		create func(stage.Caller) error
	}{
		"encoder": {2, func(c stage.Caller) error {
			_, err := w.CreateEncoderConfiguration(t.Context(), c, stage.NewEncoderConfiguration{})
			return err
		}},
		"storage": {1, func(c stage.Caller) error {
			_, err := w.CreateStorageConfiguration(t.Context(), c, stage.NewStorageConfiguration{Bucket: "b"})
			return err
		}},
		"ingest": {3, func(c stage.Caller) error {
			_, err := w.CreateIngestConfiguration(t.Context(), c, stage.NewIngestConfiguration{Protocol: stage.IngestRTMPS})
			return err
		}},
	} {
		for range c.quota {
			w.check(c.create(w.caller))
		}
		if err := c.create(w.caller); stage.KindOf(err) != stage.Quota {
			t.Errorf("%s configuration %d: %v", name, c.quota+1, err)
		}
		w.check(c.create(elsewhere))
	}
}

func TestAStorageConfigurationThatAStageUsesIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	one, two := w.storage("one"), w.storage("two")
	arn := w.stage()
	w.check(w.recordTo(arn, one.ARN))
	wantKind(t, w.DeleteStorageConfiguration(t.Context(), w.caller, one.ARN), stage.Conflict)
	_, err := w.UpdateStage(t.Context(), w.caller, arn, stage.StageChange{Name: new("a name is no reason")})
	w.check(err)
	w.check(w.Tag(t.Context(), w.caller, arn, map[string]string{"nor": "a tag"}))
	wantKind(t, w.DeleteStorageConfiguration(t.Context(), w.caller, one.ARN), stage.Conflict)
	w.check(w.recordTo(arn, two.ARN))
	w.check(w.DeleteStorageConfiguration(t.Context(), w.caller, one.ARN))
	wantKind(t, w.recordTo(arn, one.ARN), stage.NotFound)
	wantKind(t, w.DeleteStorageConfiguration(t.Context(), w.caller, two.ARN), stage.Conflict)
	w.check(w.recordTo(arn, stage.ARN{}))
	w.check(w.DeleteStorageConfiguration(t.Context(), w.caller, two.ARN))
}

func TestDeleteStageLeavesItsStorageConfiguration(t *testing.T) {
	w := newWorld(t)
	storage := w.storage("one")
	made, _, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{
		Recording: &stage.RecordingChange{StorageConfigurationARN: storage.ARN.String()},
	})
	w.check(err)
	wantKind(t, w.DeleteStorageConfiguration(t.Context(), w.caller, storage.ARN), stage.Conflict)
	w.check(w.DeleteStage(t.Context(), w.caller, made.ARN))
	_, err = w.StorageConfiguration(t.Context(), w.caller, storage.ARN)
	w.check(err)
	w.check(w.DeleteStorageConfiguration(t.Context(), w.caller, storage.ARN))
}

func TestRecordingSettingsAreMergedOneByOneAndNestedOnesReplacedWhole(t *testing.T) {
	w := newWorld(t)
	storage := w.storage("one").ARN.String()
	made, _, err := w.CreateStage(t.Context(), w.caller, stage.NewStage{Recording: &stage.RecordingChange{
		StorageConfigurationARN: storage,
		MediaTypes:              &[]string{"AUDIO_ONLY"},
		Thumbnail:               &stage.ThumbnailChange{Interval: new(5), Storage: &[]string{"LATEST"}, Mode: new("INTERVAL")},
		ReconnectWindow:         new(10),
		HLS:                     &stage.HLSChange{TargetSegmentDuration: new(3)},
		RecordReplicas:          new(false),
	}})
	w.check(err)
	want := stage.RecordingConfiguration{
		StorageConfigurationARN: storage, MediaTypes: []string{"AUDIO_ONLY"}, ThumbnailInterval: 5, ThumbnailStorage: []string{"LATEST"},
		ThumbnailMode: "INTERVAL", ReconnectWindow: 10, TargetSegmentDuration: 3,
	}
	same(t, "as created", made.Recording, want)
	change := func(what string, ch stage.RecordingChange, change func(*stage.RecordingConfiguration)) {
		t.Helper()
		ch.StorageConfigurationARN = storage
		changed, err := w.UpdateStage(t.Context(), w.caller, made.ARN, stage.StageChange{Recording: &ch})
		w.check(err)
		change(&want)
		same(t, what, changed.Recording, want)
	}
	change("nothing but the storage configuration", stage.RecordingChange{}, func(*stage.RecordingConfiguration) {})
	change("the window", stage.RecordingChange{ReconnectWindow: new(0)}, func(r *stage.RecordingConfiguration) { r.ReconnectWindow = 0 })
	change("thumbnails", stage.RecordingChange{Thumbnail: &stage.ThumbnailChange{Interval: new(7)}}, func(r *stage.RecordingConfiguration) {
		r.ThumbnailInterval, r.ThumbnailStorage, r.ThumbnailMode = 7, []string{"SEQUENTIAL"}, "DISABLED"
	})
	change("segments", stage.RecordingChange{HLS: &stage.HLSChange{}}, func(r *stage.RecordingConfiguration) { r.TargetSegmentDuration = 6 })

	off, err := w.UpdateStage(t.Context(), w.caller, made.ARN, stage.StageChange{Recording: &stage.RecordingChange{ReconnectWindow: new(9)}})
	w.check(err)
	fresh, err := w.Stage(t.Context(), w.caller, w.stage())
	w.check(err)
	same(t, "switched off", off.Recording, fresh.Recording)
}

// probed is a world whose buckets answer as they are told.
func probed(t *testing.T, probe func(context.Context, string) error) *stage.Service {
	t.Helper()
	s, _, err := stage.Open(t.Context(), stage.Options{Store: newWorld(t).store, Probe: probe, Quotas: stage.Quotas{StorageConfigurations: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestABucketIsProbedBeforeAStorageConfigurationIsMade(t *testing.T) {
	caller := stage.Caller{Account: "123456789012", Region: "us-east-1"}
	broken := errors.New("the disk is full")
	var asked []string
	s := probed(t, func(_ context.Context, bucket string) error {
		asked = append(asked, bucket)
		return map[string]error{"gone": &stage.Error{Kind: stage.NotFound}, "locked": &stage.Error{Kind: stage.Denied}, "broken": broken}[bucket]
	})
	create := func(bucket string, tags map[string]string) error {
		_, err := s.CreateStorageConfiguration(t.Context(), caller, stage.NewStorageConfiguration{Bucket: bucket, Tags: tags})
		return err
	}
	wantKind(t, create("gone", nil), stage.NotFound)
	wantKind(t, create("locked", nil), stage.Denied)
	if err := create("broken", nil); err != broken {
		t.Errorf("got %v", err)
	}
	wantKind(t, create("never-asked", map[string]string{"aws:x": ""}), stage.Invalid)
	if list, _, err := s.StorageConfigurations(t.Context(), caller, stage.Page{Limit: 1}); err != nil || len(list) > 0 {
		t.Errorf("there are %v, %v", list, err)
	}
	if err := create("good", nil); err != nil {
		t.Error(err)
	}
	wantKind(t, create("never-asked", nil), stage.Quota)
	same(t, "buckets probed", strings.Join(asked, " "), "gone locked broken good")
}

func TestTheStoreIsFreeWhileABucketIsProbed(t *testing.T) {
	caller := stage.Caller{Account: "123456789012", Region: "us-east-1"}
	var s *stage.Service
	s = probed(t, func(ctx context.Context, _ string) error {
		_, _, err := s.CreateStage(ctx, caller, stage.NewStage{})
		return err
	})
	if _, err := s.CreateStorageConfiguration(t.Context(), caller, stage.NewStorageConfiguration{Bucket: "b"}); err != nil {
		t.Fatal(err)
	}
}

func TestRecordingSettingsDoNotChangeWhileSomebodyIsRecorded(t *testing.T) {
	w := newWorld(t)
	arn, storage := w.stage(), w.storage("one").ARN
	e := w.join(arn, "ann")
	session, err := w.Session(t.Context(), w.caller, arn, e.SessionID)
	w.check(err)
	for state, free := range map[stage.RecordingState]bool{
		stage.RecordingDisabled: true, stage.RecordingStopped: true, stage.RecordingFailed: true,
		stage.RecordingStarting: false, stage.RecordingActive: false, stage.RecordingStopping: false,
	} {
		w.check(w.store.Update(t.Context(), func(tx stage.Tx) error {
			p, err := tx.Participant(session.No, e.ParticipantID)
			if err != nil {
				return err
			}
			p.Recording = state
			return tx.PutParticipant(&p)
		}))
		for _, to := range []stage.ARN{storage, {}} {
			if err := w.recordTo(arn, to); (err == nil) != free || err != nil && stage.KindOf(err) != stage.Conflict {
				t.Errorf("recording state %d: %v", state, err)
			}
		}
		_, err := w.UpdateStage(t.Context(), w.caller, arn, stage.StageChange{Name: new("renamed")})
		w.check(err)
	}
}

// Stages and storage configurations are deleted while others begin to refer to
// them. Afterwards nothing refers to what is not there.
func TestNothingRefersToWhatIsGoneWhateverHappensAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, "", stage.Quotas{})
	var stages, storages, ingests [8]stage.ARN
	for i := range stages {
		stages[i], storages[i], ingests[i] = w.stage(), w.storage("b").ARN, w.ingest(stage.ARN{}, false).ARN
	}
	tolerate := func(err error, kinds ...stage.Kind) {
		if err != nil && !slices.Contains(kinds, stage.KindOf(err)) {
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 9))
			for range 40 {
				arn := stages[random.IntN(len(stages))]
				tolerate(w.recordTo(arn, storages[random.IntN(len(storages))]), stage.NotFound)
				_, err := w.UpdateIngestConfiguration(t.Context(), w.caller, ingests[random.IntN(len(ingests))], stage.IngestChange{Stage: &arn})
				tolerate(err, stage.NotFound)
			}
		})
	}
	all.Go(func() {
		for i := range 6 {
			tolerate(w.DeleteStorageConfiguration(t.Context(), w.caller, storages[i]), stage.Conflict)
			tolerate(w.DeleteStage(t.Context(), w.caller, stages[i]))
		}
	})
	all.Wait()

	list, _, err := w.Stages(t.Context(), w.caller, stage.Page{Limit: 100})
	w.check(err)
	same(t, "stages left", len(list), 2)
	for _, s := range list {
		if text := s.Recording.StorageConfigurationARN; text != "" {
			arn, err := stage.ParseARN(text)
			w.check(err)
			_, err = w.StorageConfiguration(t.Context(), w.caller, arn)
			w.check(err)
		}
	}
	for _, arn := range ingests {
		if attached := w.readIngest(arn).Stage; attached != (stage.ARN{}) {
			_, err := w.Stage(t.Context(), w.caller, attached)
			w.check(err)
		}
	}
}
