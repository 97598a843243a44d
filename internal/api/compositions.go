package api

import (
	"fmt"

	"callboard/internal/stage"
)

type (
	startCompositionInput struct {
		StageARN         stage.ARN          `json:"stageArn" check:"required,arn=stage" iam:"resource"`
		IdempotencyToken string             `json:"idempotencyToken" check:"idempotency"`
		Layout           layoutInput        `json:"layout"`
		Destinations     []destinationInput `json:"destinations" check:"required,min=1,max=2"`
		Tags             map[string]string  `json:"tags" check:"tags"`
	}

	getCompositionInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=composition" iam:"resource"`
	}

	listCompositionsInput struct {
		StageARN                *stage.ARN `json:"filterByStageArn" check:"arn=stage" iam:"resource"`
		EncoderConfigurationARN *stage.ARN `json:"filterByEncoderConfigurationArn" check:"arn=encoder-configuration" iam:"resource"`
		page
	}

	stopCompositionInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=composition" iam:"resource"`
	}
)

// layoutInput has at most one of its members; none means a grid.
type (
	layoutInput struct {
		Grid *gridInput `json:"grid"`
		Pip  *pipInput  `json:"pip"`
	}
	gridInput struct {
		FeaturedAttribute string           `json:"featuredParticipantAttribute" check:"name"`
		OmitStoppedVideo  bool             `json:"omitStoppedVideo"`
		VideoAspectRatio  videoAspectRatio `json:"videoAspectRatio"`
		VideoFillMode     videoFillMode    `json:"videoFillMode"`
		GridGap           *int             `json:"gridGap" check:"min=0"`
		OrderAttribute    string           `json:"participantOrderAttribute" check:"name"`
	}
	pipInput struct {
		FeaturedAttribute string        `json:"featuredParticipantAttribute" check:"name"`
		OmitStoppedVideo  bool          `json:"omitStoppedVideo"`
		VideoFillMode     videoFillMode `json:"videoFillMode"`
		GridGap           *int          `json:"gridGap" check:"min=0"`
		PipAttribute      string        `json:"pipParticipantAttribute" check:"name"`
		PipBehavior       pipBehavior   `json:"pipBehavior"`
		PipOffset         *int          `json:"pipOffset" check:"min=0"`
		PipPosition       pipPosition   `json:"pipPosition"`
		PipWidth          *int          `json:"pipWidth" check:"min=1"`
		PipHeight         *int          `json:"pipHeight" check:"min=1"`
		OrderAttribute    string        `json:"participantOrderAttribute" check:"name"`
	}
)

// destinationInput has exactly one of channel and s3.
type (
	destinationInput struct {
		Name    string                   `json:"name" check:"name"`
		Channel *channelDestinationInput `json:"channel"`
		S3      *s3DestinationInput      `json:"s3"`
	}
	channelDestinationInput struct {
		ChannelARN              stage.ARN  `json:"channelArn" check:"required,arn=channel" iam:"resource"`
		EncoderConfigurationARN *stage.ARN `json:"encoderConfigurationArn" check:"arn=encoder-configuration" iam:"resource"`
	}
	s3DestinationInput struct {
		StorageConfigurationARN  stage.ARN                   `json:"storageConfigurationArn" check:"required,arn=storage-configuration" iam:"resource"`
		EncoderConfigurationARNs []stage.ARN                 `json:"encoderConfigurationArns" check:"required,one-encoder" iam:"resource"`
		Recording                compositionRecordingInput   `json:"recordingConfiguration"`
		Thumbnails               []compositionThumbnailInput `json:"thumbnailConfigurations" check:"min=0,max=1"`
	}
	compositionRecordingInput struct {
		HLS    hlsInput        `json:"hlsConfiguration"`
		Format recordingFormat `json:"format"`
	}
	compositionThumbnailInput struct {
		Interval *int                `json:"targetIntervalSeconds" check:"min=1,max=86400"`
		Storage  *[]thumbnailStorage `json:"storage" check:"min=0,max=2"`
	}
)

type (
	videoAspectRatio string
	videoFillMode    string
	pipBehavior      string
	pipPosition      string
	recordingFormat  string
)

func (videoAspectRatio) values() []string { return []string{"AUTO", "VIDEO", "SQUARE", "PORTRAIT"} }
func (videoFillMode) values() []string    { return []string{"FILL", "COVER", "CONTAIN"} }
func (pipBehavior) values() []string      { return []string{"STATIC", "DYNAMIC"} }
func (recordingFormat) values() []string  { return []string{"HLS"} }
func (pipPosition) values() []string {
	return []string{"TOP_LEFT", "TOP_RIGHT", "BOTTOM_LEFT", "BOTTOM_RIGHT"}
}

// check finds what no member can know alone.
func (in *startCompositionInput) check() error {
	if in.Layout.Grid != nil && in.Layout.Pip != nil {
		return invalid("A layout is either grid or pip, but both are given.")
	}
	channels, buckets := 0, 0
	for i, d := range in.Destinations {
		if (d.Channel == nil) == (d.S3 == nil) {
			return invalid(fmt.Sprintf("A destination must have exactly one of channel and s3; the one at '/destinations/%d' does not.", i))
		}
		if d.Channel != nil {
			channels++
		} else {
			buckets++
		}
	}
	if channels > 1 || buckets > 1 {
		return invalid("A composition has at most one channel and at most one s3 among its destinations.")
	}
	return stage.CheckTags(in.Tags)
}

func (in *listCompositionsInput) check() error { return in.page.unissued() }
