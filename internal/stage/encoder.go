package stage

import "context"

// Video is how a composition is encoded.
type Video struct {
	Width     int // pixels, even
	Height    int // pixels, even
	Framerate float32
	Bitrate   int // bits a second
}

// VideoRequest is what a request says about a video; nil members get their
// default, each on its own.
type VideoRequest struct {
	Width, Height *int
	Framerate     *float32
	Bitrate       *int
}

// maxPixels is how many a picture may have.
const maxPixels = 1920 * 1080

// DefaultVideo is that of
// https://docs.aws.amazon.com/ivs/latest/RealTimeAPIReference/API_Video.html.
func DefaultVideo() Video {
	return Video{Width: 1280, Height: 720, Framerate: 30, Bitrate: 2_500_000}
}

func (r VideoRequest) video() (Video, error) {
	d := DefaultVideo()
	v := Video{
		Width:     valueOr(r.Width, d.Width),
		Height:    valueOr(r.Height, d.Height),
		Framerate: valueOr(r.Framerate, d.Framerate),
		Bitrate:   valueOr(r.Bitrate, d.Bitrate),
	}
	if v.Width%2 != 0 || v.Height%2 != 0 {
		return Video{}, fail(Invalid, "The width and the height of a video must be even numbers; %d x %d is not possible", v.Width, v.Height)
	}
	if v.Width*v.Height > maxPixels {
		return Video{}, fail(Invalid, "A video has at most %d pixels; %d x %d makes %d", maxPixels, v.Width, v.Height, v.Width*v.Height)
	}
	return v, nil
}

// EncoderConfiguration says how compositions are encoded. It never changes.
type EncoderConfiguration struct {
	ARN   ARN
	Name  string
	Tags  map[string]string
	Video Video
}

// encoderBody is what an encoder configuration's document holds beside its name and tags.
type encoderBody struct{ Video Video }

// NewEncoderConfiguration is what CreateEncoderConfiguration may say.
type NewEncoderConfiguration struct {
	Name  string
	Tags  map[string]string
	Video VideoRequest
}

// CreateEncoderConfiguration makes an encoder configuration.
func (s *Service) CreateEncoderConfiguration(ctx context.Context, c Caller, n NewEncoderConfiguration) (EncoderConfiguration, error) {
	video, err := n.Video.video()
	if err != nil {
		return EncoderConfiguration{}, err
	}
	d := Document{ARN: s.newARN(c, TypeEncoderConfiguration), Name: n.Name, Tags: n.Tags}
	if err := s.insert(ctx, c, &d, encoderBody{video}, s.quotas.EncoderConfigurations, nil); err != nil {
		return EncoderConfiguration{}, err
	}
	return encoderConfiguration(d)
}

func encoderConfiguration(d Document) (EncoderConfiguration, error) {
	body, err := unbody[encoderBody](d)
	return EncoderConfiguration{ARN: d.ARN, Name: d.Name, Tags: d.Tags, Video: body.Video}, err
}

// EncoderConfiguration reads one encoder configuration.
func (s *Service) EncoderConfiguration(ctx context.Context, c Caller, arn ARN) (EncoderConfiguration, error) {
	return readOne(ctx, s, c, arn, encoderConfiguration)
}

// EncoderConfigurations lists the caller's encoder configurations in order of creation.
func (s *Service) EncoderConfigurations(ctx context.Context, c Caller, p Page) (list []EncoderConfiguration, next int64, err error) {
	return readPage(ctx, s, c, TypeEncoderConfiguration, ARN{}, p, encoderConfiguration)
}

// DeleteEncoderConfiguration removes an encoder configuration.
func (s *Service) DeleteEncoderConfiguration(ctx context.Context, c Caller, arn ARN) error {
	return s.remove(ctx, c, arn, nil)
}
