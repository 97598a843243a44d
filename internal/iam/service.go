package iam

import (
	"slices"
	"strings"
)

// operations are those of the service; each is an action after "ivs:".
var operations = []string{
	"CreateEncoderConfiguration", "CreateIngestConfiguration", "CreateParticipantToken", "CreateStage", "CreateStorageConfiguration",
	"DeleteEncoderConfiguration", "DeleteIngestConfiguration", "DeletePublicKey", "DeleteStage", "DeleteStorageConfiguration",
	"DisconnectParticipant",
	"GetComposition", "GetEncoderConfiguration", "GetIngestConfiguration", "GetParticipant", "GetPublicKey", "GetStage",
	"GetStageSession", "GetStorageConfiguration",
	"ImportPublicKey",
	"ListCompositions", "ListEncoderConfigurations", "ListIngestConfigurations", "ListParticipantEvents", "ListParticipantReplicas",
	"ListParticipants", "ListPublicKeys", "ListStageSessions", "ListStages", "ListStorageConfigurations", "ListTagsForResource",
	"StartComposition", "StartParticipantReplication", "StopComposition", "StopParticipantReplication",
	"TagResource", "UntagResource", "UpdateIngestConfiguration", "UpdateStage",
}

// resourceTypes are what stands before the slash in ARNs that the operations are
// authorised against.
var resourceTypes = []string{
	"stage", "composition", "encoder-configuration", "storage-configuration", "ingest-configuration", "public-key", "channel",
}

// tagKeys are the condition keys that end in the key of a tag.
var tagKeys = []string{"aws:RequestTag/", "aws:ResourceTag/"}

// contextKeys are the other condition keys that requests may have.
var contextKeys = []string{
	"aws:CurrentTime", "aws:EpochTime", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalType", "aws:RequestedRegion",
	"aws:SecureTransport", "aws:SourceIp", "aws:TagKeys", "aws:TokenIssueTime", "aws:UserAgent", "aws:userid", "aws:username",
}

// canonicalKey spells a condition key as the AWS documentation does, if this
// server has it; keys differ by more than case, but those of tags by case as well.
func canonicalKey(key string) string {
	for _, known := range tagKeys {
		if len(key) > len(known) && strings.EqualFold(key[:len(known)], known) {
			return known + key[len(known):]
		}
	}
	for _, known := range contextKeys {
		if strings.EqualFold(key, known) {
			return known
		}
	}
	return key
}

// isProvided tells whether a canonical key is one that requests may have.
func isProvided(key string) bool {
	return slices.Contains(contextKeys, key) || slices.ContainsFunc(tagKeys, func(known string) bool {
		return strings.HasPrefix(key, known) && len(key) > len(known)
	})
}
