package token

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of the claims.
const (
	// MaxAttributes is the most that keys and values of the attributes may
	// take together, in bytes of UTF-8.
	MaxAttributes = 1024
	// MaxUserID is the longest user id, in characters.
	MaxUserID = 128
	// MaxLife is the longest time from issue to expiry.
	MaxLife = 14 * 24 * time.Hour
)

// maxSeconds is the end of the year 9999.
const maxSeconds = 253402300799

// version is the only version of the claims there is.
const version = "1.0"

var (
	participantID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	stageARN      = regexp.MustCompile(`^arn:aws:ivs:[a-z0-9-]+:[0-9]+:stage/[A-Za-z0-9-]+$`)
)

// Claims is what a participant token says.
type Claims struct {
	ParticipantID string // jti: 1 to 64 of A-Z a-z 0-9 _ -
	UserID        string // user_id: at most MaxUserID characters; "" when there is none
	Stage         string // resource: the ARN of the stage
	Topic         string // topic: the last path element of that ARN
	EventsURL     string // events_url: not empty; otherwise not judged, it may name a proxy
	WHIPURL       string // whip_url: likewise
	Attributes    map[string]string
	Publish       bool // capabilities.allow_publish
	Subscribe     bool // capabilities.allow_subscribe

	IssuedAt time.Time // iat, whole seconds
	Expires  time.Time // exp, whole seconds, at most MaxLife after IssuedAt
}

// AttributeBytes counts the bytes of all keys and values, as [MaxAttributes]
// limits them.
func AttributeBytes(attributes map[string]string) int {
	n := 0
	for key, value := range attributes {
		n += len(key) + len(value)
	}
	return n
}

// check judges the claims by themselves. The error names the claim.
func (c *Claims) check() error {
	switch {
	case !participantID.MatchString(c.ParticipantID):
		return wrong("jti", "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
	case !utf8.ValidString(c.UserID) || utf8.RuneCountInString(c.UserID) > MaxUserID:
		return wrong("user_id", "must be UTF-8 text of at most %d characters", MaxUserID)
	case !stageARN.MatchString(c.Stage):
		return wrong("resource", "must be the ARN of a stage, arn:aws:ivs:region:account:stage/id")
	case c.Topic != c.Stage[strings.LastIndexByte(c.Stage, '/')+1:]:
		return wrong("topic", "must be the id of the stage, the part of %q after the slash", "resource")
	case c.EventsURL == "" || !utf8.ValidString(c.EventsURL):
		return wrong("events_url", "must be the events endpoint of the stage")
	case c.WHIPURL == "" || !utf8.ValidString(c.WHIPURL):
		return wrong("whip_url", "must be the WHIP endpoint of the stage")
	}
	if err := checkAttributes(c.Attributes); err != nil {
		return err
	}
	return c.checkTimes()
}

func checkAttributes(attributes map[string]string) error {
	for key, value := range attributes {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return wrong("attributes", "must be UTF-8 text")
		}
	}
	if n := AttributeBytes(attributes); n > MaxAttributes {
		return wrong("attributes", "may have %d bytes in all keys and values together, it has %d", MaxAttributes, n)
	}
	return nil
}

func (c *Claims) checkTimes() error {
	iat, exp := c.IssuedAt.Unix(), c.Expires.Unix()
	switch {
	case iat < 0 || iat > maxSeconds:
		return wrong("iat", "must be in seconds since 1970, not milliseconds")
	case exp < 0 || exp > maxSeconds:
		return wrong("exp", "must be in seconds since 1970, not milliseconds")
	case exp-iat > int64(MaxLife/time.Second):
		return wrong("exp", "must be at most 14 days after %q", "iat")
	}
	return nil
}

// wrong makes the error about one claim. It must not be given claim values.
func wrong(claim, format string, args ...any) error {
	return fmt.Errorf("claim %q "+format, append([]any{claim}, args...)...)
}

var errNoResource = errors.New(`claim "resource" is missing: it must be the ARN of a stage (connection tokens are not supported)`)
