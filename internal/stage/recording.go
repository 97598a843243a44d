package stage

import (
	"encoding/json"
	"errors"
)

// RecordingConfiguration is a stage's individual participant recording.
type RecordingConfiguration struct {
	StorageConfigurationARN string // "" means off
	MediaTypes              []string
	ThumbnailInterval       int // seconds
	ThumbnailStorage        []string
	ThumbnailMode           string
	ReconnectWindow         int // seconds
	TargetSegmentDuration   int // seconds
	RecordReplicas          bool
}

// RecordingChange is what a request says about the recording configuration;
// nil members are left at their default (create) or as they are (update).
type RecordingChange struct {
	StorageConfigurationARN string // "" switches off and resets
	MediaTypes              *[]string
	Thumbnail               *ThumbnailChange
	ReconnectWindow         *int
	HLS                     *HLSChange
	RecordReplicas          *bool
}

// ThumbnailChange replaces the thumbnail settings whole; nil members get defaults.
type ThumbnailChange struct {
	Interval *int
	Storage  *[]string
	Mode     *string
}

// HLSChange replaces the HLS settings whole; nil members get defaults.
type HLSChange struct {
	TargetSegmentDuration *int
}

// defaultRecording is off, with the defaults of
// https://docs.aws.amazon.com/ivs/latest/RealTimeAPIReference/API_AutoParticipantRecordingConfiguration.html.
func defaultRecording() RecordingConfiguration {
	return RecordingConfiguration{
		MediaTypes:            []string{"AUDIO_VIDEO"},
		ThumbnailInterval:     60,
		ThumbnailStorage:      []string{"SEQUENTIAL"},
		ThumbnailMode:         "DISABLED",
		TargetSegmentDuration: 6,
		RecordReplicas:        true,
	}
}

// apply merges a change member by member; switching off resets the rest.
func (r *RecordingConfiguration) apply(ch RecordingChange) {
	if ch.StorageConfigurationARN == "" {
		*r = defaultRecording()
		return
	}
	r.StorageConfigurationARN = ch.StorageConfigurationARN
	if ch.MediaTypes != nil && len(*ch.MediaTypes) > 0 {
		r.MediaTypes = *ch.MediaTypes
	}
	d := defaultRecording()
	if t := ch.Thumbnail; t != nil {
		r.ThumbnailInterval = valueOr(t.Interval, d.ThumbnailInterval)
		r.ThumbnailStorage = d.ThumbnailStorage
		if t.Storage != nil && len(*t.Storage) > 0 {
			r.ThumbnailStorage = *t.Storage
		}
		r.ThumbnailMode = valueOr(t.Mode, d.ThumbnailMode)
	}
	r.ReconnectWindow = valueOr(ch.ReconnectWindow, r.ReconnectWindow)
	if ch.HLS != nil {
		r.TargetSegmentDuration = valueOr(ch.HLS.TargetSegmentDuration, d.TargetSegmentDuration)
	}
	r.RecordReplicas = valueOr(ch.RecordReplicas, r.RecordReplicas)
}

func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// changeRecording applies a change to a stage's document, unless somebody on
// it is being recorded right now.
func (s *Service) changeRecording(tx Tx, c Caller, d *Document, ch RecordingChange) error {
	busy, err := recordingNow(tx, d.ARN)
	if err != nil {
		return err
	}
	if busy {
		return fail(Conflict, "The recording configuration of %s cannot change while a recording is active", d.ARN)
	}
	body, err := unbody[stageBody](*d)
	if err != nil {
		return err
	}
	body.Recording.apply(ch)
	if err := useStorage(tx, c, d, body.Recording.StorageConfigurationARN, NotFound); err != nil {
		return err
	}
	d.Body, err = json.Marshal(body)
	return err
}

func recordingNow(tx Tx, arn ARN) (bool, error) {
	live, err := tx.LiveSession(arn)
	if errors.Is(err, ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, state := range []RecordingState{RecordingStarting, RecordingActive, RecordingStopping} {
		rows, err := tx.Participants(ParticipantQuery{Session: live.No, Recording: &state, Limit: 1})
		if err != nil || len(rows) > 0 {
			return len(rows) > 0, err
		}
	}
	return false, nil
}
