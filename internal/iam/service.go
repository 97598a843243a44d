package iam

import (
	"slices"
	"strings"
)

// resourceTypes are what stands before the slash in ARNs that operations are
// authorised against.
var resourceTypes = []string{
	"stage", "composition", "encoder-configuration", "storage-configuration", "ingest-configuration", "public-key", "channel",
}

// taggable are the types of resources that can have tags.
var taggable = resourceTypes[:6]

// operation is one of the service; "ivs:" and its name make an action.
type operation struct {
	name string
	// about are the types of resources it is authorised against, the first of them
	// always, and none of them where it is "", which is written "*".
	about []string
}

// operations are those of the service, with their resources as the service
// authorization reference of AWS has them.
var operations = []operation{
	{"CreateEncoderConfiguration", []string{"encoder-configuration"}},
	{"CreateIngestConfiguration", []string{"ingest-configuration"}},
	{"CreateParticipantToken", []string{"stage"}},
	{"CreateStage", []string{"stage"}},
	{"CreateStorageConfiguration", []string{"storage-configuration"}},
	{"DeleteEncoderConfiguration", []string{"encoder-configuration"}},
	{"DeleteIngestConfiguration", []string{"ingest-configuration"}},
	{"DeletePublicKey", []string{"public-key"}},
	{"DeleteStage", []string{"stage"}},
	{"DeleteStorageConfiguration", []string{"storage-configuration"}},
	{"DisconnectParticipant", []string{"stage"}},
	{"GetComposition", []string{"composition"}},
	{"GetEncoderConfiguration", []string{"encoder-configuration"}},
	{"GetIngestConfiguration", []string{"ingest-configuration"}},
	{"GetParticipant", []string{"stage"}},
	{"GetPublicKey", []string{"public-key"}},
	{"GetStage", []string{"stage"}},
	{"GetStageSession", []string{"stage"}},
	{"GetStorageConfiguration", []string{"storage-configuration"}},
	{"ImportPublicKey", []string{"public-key"}},
	{"ListCompositions", []string{"", "stage", "encoder-configuration"}},
	{"ListEncoderConfigurations", []string{""}},
	{"ListIngestConfigurations", []string{""}},
	{"ListParticipantEvents", []string{"stage"}},
	{"ListParticipantReplicas", []string{"stage"}},
	{"ListParticipants", []string{"stage"}},
	{"ListPublicKeys", []string{""}},
	{"ListStageSessions", []string{"stage"}},
	{"ListStages", []string{"stage"}},
	{"ListStorageConfigurations", []string{""}},
	{"ListTagsForResource", taggable},
	{"StartComposition", []string{"stage", "encoder-configuration", "storage-configuration", "channel"}},
	{"StartParticipantReplication", []string{"stage"}},
	{"StopComposition", []string{"composition"}},
	{"StopParticipantReplication", []string{"stage"}},
	{"TagResource", taggable},
	{"UntagResource", taggable},
	{"UpdateIngestConfiguration", []string{"ingest-configuration"}},
	{"UpdateStage", []string{"stage"}},
}

// ownOperations are those of Callboard's own API; "callboard:" and the name make an
// action.
var ownOperations = []operation{
	{"CountParticipants", []string{"stage"}},
	{"CreateWebhook", []string{""}},
	{"DeleteWebhook", []string{""}},
	{"EraseUser", []string{""}},
	{"ExplainToken", []string{"stage"}},
	{"ExportSession", []string{"stage"}},
	{"GetAttendance", []string{"stage"}},
	{"GetConcurrency", []string{"stage"}},
	{"GetExplanation", []string{"stage"}},
	{"GetMedia", []string{"stage"}},
	{"GetParticipantStages", []string{""}},
	{"GetSession", []string{"stage"}},
	{"GetWebhook", []string{""}},
	{"ListDeadLetters", []string{""}},
	{"ListWebhooks", []string{""}},
	{"QueryParticipants", []string{"stage"}},
	{"RedeliverWebhook", []string{""}},
	{"UpdateWebhook", []string{""}},
	{"WatchSession", []string{"stage"}},
	{"WatchStage", []string{"stage"}},
}

// services are what stands before the colon of an action, with what follows it.
var services = []struct {
	name       string
	operations []operation
}{{"ivs", operations}, {"callboard", ownOperations}}

// ResourceOf is what an action is about when no particular resource is meant: all
// of a type, as an ARN, or "*". Creating is authorised against the same.
func ResourceOf(action, region, account string) string {
	for _, service := range services {
		for _, o := range service.operations {
			if strings.EqualFold(action, service.name+":"+o.name) && len(o.about) < len(taggable) && o.about[0] != "" {
				return allOf(o.about[0], region, account)
			}
		}
	}
	return "*"
}

// makers are the operations that make something and can give it tags, with its type.
var makers = map[string]string{
	"CreateEncoderConfiguration": "encoder-configuration",
	"CreateIngestConfiguration":  "ingest-configuration",
	"CreateStage":                "stage",
	"CreateStorageConfiguration": "storage-configuration",
	"ImportPublicKey":            "public-key",
	"StartComposition":           "composition",
}

// TaggedBy is the resource on which ivs:TagResource is asked for as well when a
// request for the action has tags: all of the type that it makes, as an ARN, or ""
// if it makes nothing that can have tags.
func TaggedBy(action, region, account string) string {
	for name, typ := range makers {
		if strings.EqualFold(action, "ivs:"+name) {
			return allOf(typ, region, account)
		}
	}
	return ""
}

func allOf(typ, region, account string) string {
	return "arn:aws:ivs:" + region + ":" + account + ":" + typ + "/*"
}

// tagKeys are the condition keys that end in the key of a tag.
var tagKeys = []string{"aws:RequestTag/", "aws:ResourceTag/"}

// contextKeys are the other condition keys that requests may have.
var contextKeys = []string{
	"aws:CurrentTime", "aws:EpochTime", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalType", "aws:RequestedRegion",
	"aws:SecureTransport", "aws:SourceIp", "aws:TagKeys", "aws:TokenIssueTime", "aws:UserAgent", "aws:userid", "aws:username",
}

// canonicalKey spells a condition key as the AWS documentation does, if this
// server has it.
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

// ContextKey spells a condition key as the AWS documentation does, and tells
// whether requests to this server may have it. What follows aws:RequestTag/ and
// aws:ResourceTag/ stays as it is; [Find] compares it in any case.
func ContextKey(name string) (key string, provided bool) {
	key = canonicalKey(name)
	return key, isProvided(key)
}

// isProvided tells whether a canonical key is one that requests may have.
func isProvided(key string) bool {
	return slices.Contains(contextKeys, key) || slices.ContainsFunc(tagKeys, func(known string) bool {
		return strings.HasPrefix(key, known) && len(key) > len(known)
	})
}

// Find looks up what a condition names, a condition key or the tag in one, whose case
// does not matter in AWS:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourcetag
// Of several that differ in nothing else, which AWS leaves open, it takes the one
// spelt like this, else the first in order.
func Find[V any](named map[string]V, name string) (value V, known bool) {
	if value, known = named[name]; known {
		return value, true
	}
	first := ""
	for n, v := range named {
		if strings.EqualFold(n, name) && (!known || n < first) {
			value, first, known = v, n, true
		}
	}
	return value, known
}
