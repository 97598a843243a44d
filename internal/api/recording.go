package api

import "callboard/internal/stage"

// recordingInput is an autoParticipantRecordingConfiguration in a request; an
// absent member is another thing than a zero.
type (
	recordingInput struct {
		StorageConfigurationARN string          `json:"storageConfigurationArn" check:"required,storage"`
		MediaTypes              *[]mediaType    `json:"mediaTypes" check:"min=0,max=1"`
		Thumbnails              *thumbnailInput `json:"thumbnailConfiguration"`
		ReconnectWindow         *int            `json:"recordingReconnectWindowSeconds" check:"min=0,max=300"`
		HLS                     *hlsInput       `json:"hlsConfiguration"`
		RecordReplicas          *bool           `json:"recordParticipantReplicas"`
	}
	thumbnailInput struct {
		Interval *int                `json:"targetIntervalSeconds" check:"min=1,max=86400"`
		Storage  *[]thumbnailStorage `json:"storage" check:"min=0,max=2"`
		Mode     *thumbnailMode      `json:"recordingMode"`
	}
	hlsInput struct {
		SegmentDuration *int `json:"targetSegmentDurationSeconds" check:"min=2,max=10"`
	}
)

// recordingOutput is the same in a response, always complete.
type (
	recordingOutput struct {
		StorageConfigurationARN string          `json:"storageConfigurationArn"`
		MediaTypes              []string        `json:"mediaTypes"`
		Thumbnails              thumbnailOutput `json:"thumbnailConfiguration"`
		ReconnectWindow         int             `json:"recordingReconnectWindowSeconds"`
		HLS                     hlsOutput       `json:"hlsConfiguration"`
		RecordReplicas          bool            `json:"recordParticipantReplicas"`
	}
	thumbnailOutput struct {
		Interval int      `json:"targetIntervalSeconds"`
		Storage  []string `json:"storage"`
		Mode     string   `json:"recordingMode"`
	}
	hlsOutput struct {
		SegmentDuration int `json:"targetSegmentDurationSeconds"`
	}
)

type (
	mediaType        string
	thumbnailStorage string
	thumbnailMode    string
)

func (mediaType) values() []string        { return []string{"AUDIO_VIDEO", "AUDIO_ONLY", "NONE"} }
func (thumbnailStorage) values() []string { return []string{"SEQUENTIAL", "LATEST"} }
func (thumbnailMode) values() []string    { return []string{"INTERVAL", "DISABLED"} }

// change gives what the request says about recording, nil if it says nothing.
func (in *recordingInput) change() *stage.RecordingChange {
	if in == nil {
		return nil
	}
	out := &stage.RecordingChange{
		StorageConfigurationARN: in.StorageConfigurationARN,
		MediaTypes:              texts(in.MediaTypes),
		ReconnectWindow:         in.ReconnectWindow,
		RecordReplicas:          in.RecordReplicas,
	}
	if in.HLS != nil {
		out.HLS = &stage.HLSChange{TargetSegmentDuration: in.HLS.SegmentDuration}
	}
	if t := in.Thumbnails; t != nil {
		out.Thumbnail = &stage.ThumbnailChange{Interval: t.Interval, Storage: texts(t.Storage), Mode: (*string)(t.Mode)}
	}
	return out
}

// texts gives the values of a list of an enumeration, nil for an absent list.
func texts[T ~string](list *[]T) *[]string {
	if list == nil {
		return nil
	}
	return new(each(*list, func(v T) string { return string(v) }))
}

func toRecording(r stage.RecordingConfiguration) recordingOutput {
	same := func(s string) string { return s }
	return recordingOutput{
		StorageConfigurationARN: r.StorageConfigurationARN,
		MediaTypes:              each(r.MediaTypes, same),
		Thumbnails:              thumbnailOutput{r.ThumbnailInterval, each(r.ThumbnailStorage, same), r.ThumbnailMode},
		ReconnectWindow:         r.ReconnectWindow,
		HLS:                     hlsOutput{r.TargetSegmentDuration},
		RecordReplicas:          r.RecordReplicas,
	}
}
