package quota

import (
	"time"

	"callboard/internal/stage"
)

// Profile is how much a server allows each account in each region. [AWS],
// [None] and [Load] make one.
type Profile struct {
	limits map[string]int64   // by figure; without an entry there is no bound
	rates  map[string]float64 // calls per second, by group or operation; 0 is no bound
	burst  float64            // size of a token bucket, in seconds of its rate
}

// Groups of operations that have a rate together. Each operation of a group
// has a bucket of its own.
const (
	groupTokens     = "participant-tokens"
	groupPublicKeys = "public-keys"
	groupTags       = "tags"
	groupOthers     = "others"
)

// burst is how many seconds' worth of calls AWS is taken to allow at once. It
// publishes no such figure.
const burst = 2

// AWS gives the figures of AWS, as they are for an account that never asked for more.
func AWS() Profile {
	p := Profile{limits: make(map[string]int64), burst: burst, rates: map[string]float64{
		groupTokens: 50, groupPublicKeys: 3, groupTags: 10, groupOthers: 5,
	}}
	for _, f := range figures() {
		p.limits[f.name] = f.aws
	}
	return p
}

// None bounds nothing but what is part of the API.
func None() Profile {
	p := Profile{limits: make(map[string]int64), burst: burst, rates: map[string]float64{
		groupTokens: 0, groupPublicKeys: 0, groupTags: 0, groupOthers: 0,
	}}
	for _, f := range figures() {
		if f.state == fixed {
			p.limits[f.name] = f.aws
		}
	}
	return p
}

// groupOf tells which group an operation belongs to.
func groupOf(operation string) string {
	switch operation {
	case "CreateParticipantToken":
		return groupTokens
	case "ImportPublicKey", "GetPublicKey", "ListPublicKeys", "DeletePublicKey":
		return groupPublicKeys
	case "TagResource", "UntagResource", "ListTagsForResource":
		return groupTags
	}
	return groupOthers
}

// Rate is how many calls of an operation an account may make in a region, per
// second; 0 is no bound.
func (p Profile) Rate(operation string) float64 {
	if r, ok := p.rates[operation]; ok {
		return r
	}
	return p.rates[groupOf(operation)]
}

// Limit is the figure of a quota, in whole numbers, nanoseconds, bits per
// second or lines; 0 is no bound.
func (p Profile) Limit(name string) int64 { return p.limits[name] }

// Quotas are the figures that the domain and the floor enforce.
func (p Profile) Quotas() stage.Quotas {
	of := func(name string) int { return int(p.limits[name]) }
	return stage.Quotas{
		Stages:                of("stages"),
		PublicKeys:            of("public-keys"),
		EncoderConfigurations: of("encoder-configurations"),
		StorageConfigurations: of("storage-configurations"),
		IngestConfigurations:  of("ingest-configurations"),
		PublishersPerStage:    of("publishers-per-stage"), SubscribersPerStage: of("subscribers-per-stage"),
		Publishers: of("publishers-per-region"), Subscriptions: of("subscriptions-per-region"),
		PublishBitrate: of("publish-bitrate"), PublishLines: of("publish-resolution"), BFrames: of("b-frames"),
		DownloadBitrate: of("download-bitrate"),
		MediaDuration:   time.Duration(p.limits["media-duration"]),
	}
}
