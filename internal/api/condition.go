package api

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"callboard/internal/iam"
	"callboard/internal/stage"
)

// condition gives the values of a condition key of IAM, and whether the request
// has it: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (q *inquiry) condition(key string, resource stage.ARN) (values []string, known bool) {
	name, tag, _ := strings.Cut(key, "/")
	switch name {
	case "aws:RequestTag":
		return tagged(q.requestTags(), tag)
	case "aws:ResourceTag":
		return tagged(q.resourceTags(resource), tag)
	case "aws:TagKeys":
		keys := q.tagKeys()
		return keys, keys != nil
	}
	value := q.fact(key)
	return []string{value}, value != ""
}

// fact gives the condition keys that have one value; "" if the request has none.
func (q *inquiry) fact(key string) string {
	by, now := &q.request.by, q.now()
	switch key {
	case "aws:CurrentTime":
		return now.UTC().Format(time.RFC3339)
	case "aws:EpochTime":
		return strconv.FormatInt(now.Unix(), 10)
	case "aws:PrincipalAccount":
		return by.Account
	case "aws:PrincipalArn":
		return by.ARN
	case "aws:PrincipalType":
		return by.Type
	case "aws:userid":
		return by.UserID
	case "aws:username":
		return by.UserName
	case "aws:TokenIssueTime":
		if !by.Issued.IsZero() {
			return by.Issued.UTC().Format(time.RFC3339)
		}
	case "aws:RequestedRegion":
		return q.caller.Region
	case "aws:SecureTransport":
		return strconv.FormatBool(!q.o.Plain)
	case "aws:SourceIp":
		return origin(q.request.Request, q.o.Proxies)
	case "aws:UserAgent":
		return q.request.UserAgent()
	}
	return ""
}

// now is the clock by which signatures are judged.
func (a *API) now() time.Time {
	if a.o.Verifier.Now != nil {
		return a.o.Verifier.Now()
	}
	return time.Now()
}

// requestTags are the tags that the request would put on a resource.
func (q *inquiry) requestTags() map[string]string {
	tags, _ := q.member("tags").(map[string]string)
	return tags
}

// tagKeys are the keys of the tags that the request would put on or take off.
func (q *inquiry) tagKeys() []string {
	if keys, ok := q.member("tagKeys").([]string); ok {
		return keys
	}
	return slices.Sorted(maps.Keys(q.requestTags()))
}

// member is the value of a member of the input, nil if it has none of that name.
func (q *inquiry) member(name string) any {
	for _, f := range q.input.fields {
		if f.name == name {
			return q.value.FieldByIndex(f.index).Interface()
		}
	}
	return nil
}

// resourceTags reads the tags of a resource, once for each request.
func (q *inquiry) resourceTags(arn stage.ARN) map[string]string {
	tags, known := q.tags[arn]
	if known || arn.ID == "*" || arn == (stage.ARN{}) {
		return tags
	}
	tags, err := q.service.ResourceTags(q.ctx, q.caller, arn)
	if err != nil {
		q.failed = err
		return nil
	}
	if q.tags == nil {
		q.tags = map[stage.ARN]map[string]string{}
	}
	q.tags[arn] = tags
	return tags
}

// tagged finds a tag by the key that a policy gives it.
func tagged(tags map[string]string, key string) (values []string, known bool) {
	value, known := iam.Find(tags, key)
	return []string{value}, known
}

// origin is the address that a request came from: the other end of the
// connection or, if that is a proxy that is believed, the address it names in
// X-Forwarded-For. Each proxy appends the end it sees, so the list is read from
// the right for as long as proxies are believed.
func origin(r *http.Request, believed []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	at := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(believed, func(p netip.Prefix) bool { return p.Contains(at) }) {
			break
		}
		next, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			break
		}
		at = next
	}
	return at.String()
}

// parseHop reads an address that may have a port, as some proxies write it.
func parseHop(s string) (netip.Addr, bool) {
	if with, err := netip.ParseAddrPort(s); err == nil {
		return with.Addr().Unmap().WithZone(""), true
	}
	at, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return at.Unmap().WithZone(""), err == nil
}
