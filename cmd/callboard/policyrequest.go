package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"callboard/internal/iam"
)

// asked is one request that is asked about.
type asked struct {
	iam.Request
	impliedBy string // the action that needs this one besides, "" if it was named
}

// requests are all combinations of actions and resources, and what they imply.
func (q *policyQuestion) requests(now time.Time) []asked {
	var all []asked
	for _, action := range q.actions {
		resources := q.resources
		if len(resources) == 0 {
			resources = []string{iam.ResourceOf(action, q.first("aws:RequestedRegion", "us-east-1"), q.first("aws:PrincipalAccount", "000000000000"))}
		}
		for _, resource := range resources {
			all = append(all, q.request(action, resource, "", now))
		}
	}
	for _, r := range slices.Clone(all) {
		tagged := q.tagged(r.Request)
		there := func(other asked) bool {
			return strings.EqualFold(other.Action, tagResource) && other.Resource == tagged
		}
		if tagged != "" && !slices.ContainsFunc(all, there) {
			all = append(all, q.request(tagResource, tagged, r.Action, now))
		}
	}
	return all
}

func (q *policyQuestion) request(action, resource, impliedBy string, now time.Time) asked {
	return asked{iam.Request{Action: action, Resource: resource, Context: func(key string) ([]string, bool) {
		if values, ok := iam.Find(q.context, key); ok {
			return values, true
		}
		values := q.implied(key, resource, now)
		if len(values) == 0 {
			q.absent[key] = true
		}
		return values, len(values) > 0
	}}, impliedBy}
}

const tagResource = "ivs:TagResource"

// tagged is the resource that the request, if it makes something with tags, must be
// allowed to tag; "" if it does not.
func (q *policyQuestion) tagged(r iam.Request) string {
	if len(q.context["aws:TagKeys"])+len(q.requestTags()) == 0 {
		return ""
	}
	region, account := "us-east-1", "000000000000"
	if parts := strings.SplitN(r.Resource, ":", 6); len(parts) == 6 {
		region, account = parts[3], parts[4]
	}
	return iam.TaggedBy(r.Action, q.first("aws:RequestedRegion", region), q.first("aws:PrincipalAccount", account))
}

// implied is what follows from the rest of the question.
func (q *policyQuestion) implied(key, resource string, now time.Time) []string {
	switch key {
	case "aws:CurrentTime":
		return []string{now.UTC().Format(time.RFC3339)}
	case "aws:EpochTime":
		return []string{strconv.FormatInt(now.Unix(), 10)}
	case "aws:RequestedRegion":
		if parts := strings.Split(resource, ":"); len(parts) == 6 && parts[3] != "" {
			return []string{parts[3]}
		}
	case "aws:TagKeys":
		return q.requestTags()
	}
	return nil
}

// requestTags are the keys of the tags that the request would put on something.
func (q *policyQuestion) requestTags() (keys []string) {
	for name := range q.context {
		if tag, ok := strings.CutPrefix(name, "aws:RequestTag/"); ok {
			keys = append(keys, tag)
		}
	}
	slices.Sort(keys)
	return keys
}

// first is the value that was given for a key.
func (q *policyQuestion) first(key, otherwise string) string {
	if values := q.context[key]; len(values) > 0 {
		return values[0]
	}
	return otherwise
}
