package api

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// maxTold bounds how many failures one answer spells out; all are counted.
const maxTold = 20

// rule is what the service model demands of one value. The zero rule is
// content with everything.
type rule struct {
	min, max *int // characters of a string, items of a list or map, or the number itself
	pattern  *pattern
	enum     []string
	anyCase  bool  // letters of enum may be small
	key      *rule // of each key of a map
	item     *rule // of each item of a list, each value of a map
}

// pattern is a regular expression that must match a whole string. Its text,
// as the model spells it, is part of the error message.
type pattern struct {
	text string
	re   *regexp.Regexp
	last atomic.Pointer[string] // that matched: callers ask about the same few things again and again
}

func newPattern(text string) *pattern {
	return &pattern{text: text, re: regexp.MustCompile(`\A(?:` + text + `)\z`)}
}

func (p *pattern) matches(s string) bool {
	if last := p.last.Load(); last != nil && *last == s {
		return true
	}
	if !p.re.MatchString(s) {
		return false
	}
	if len(s) <= 128 {
		p.last.Store(&s)
	}
	return true
}

// enum is a string type with a closed set of values, in the order of the model.
type enum interface{ values() []string }

// nouns are the constraints that have a name.
var nouns = map[string]rule{
	"name":    {min: new(0), max: new(128), pattern: newPattern(`[a-zA-Z0-9-_]*`)},
	"session": {min: new(16), max: new(16), pattern: newPattern(`st-[a-zA-Z0-9]+`)},
	// The model's ParticipantId lacks the underscore, which the id of a
	// self-signed token may contain and ParticipantTokenId allows.
	"id":   {min: new(0), max: new(64), pattern: newPattern(`[a-zA-Z0-9-_]*`)},
	"next": {min: new(0), max: new(1024), pattern: newPattern(`[a-zA-Z0-9+/=_-]*`)},
	"pem": {pattern: newPattern(`.*-----BEGIN PUBLIC KEY-----\r?\n([a-zA-Z0-9+/=\r\n]+)\r?\n` +
		`-----END PUBLIC KEY-----(\r?\n)?.*`)},
	"tags":    {min: new(0), max: new(50), key: tagKey, item: &rule{min: new(0), max: new(256)}},
	"tagkeys": {min: new(0), max: new(50), item: tagKey},
	"storage": {min: new(0), max: new(128),
		pattern: newPattern(`^$|^arn:aws:ivs:[a-z0-9-]+:[0-9]+:storage-configuration/[a-zA-Z0-9-]+$`)},
	"idempotency":               {min: new(1), max: new(64), pattern: newPattern(`[a-zA-Z0-9-_]*`)},
	"one-encoder":               {min: new(1), max: new(1), item: new(arnOf(`encoder-configuration`))},
	"bucket":                    {min: new(3), max: new(63), pattern: newPattern(`[a-z0-9-.]+`)},
	"arn=stage":                 arnOf(`stage`),
	"arn=public-key":            arnOf(`public-key`),
	"arn=encoder-configuration": arnOf(`encoder-configuration`),
	"arn=storage-configuration": arnOf(`storage-configuration`),
	"arn=ingest-configuration":  arnOf(`ingest-configuration`),
	"arn=composition":           arnOf(`composition`),
	"arn=channel":               arnOf(`channel`),
	"arn=stage-or-none": {min: new(0), max: new(128),
		pattern: newPattern(`^$|^arn:aws:ivs:[a-z0-9-]+:[0-9]+:stage/[a-zA-Z0-9-]+$`)},
	// The model's ResourceArn allows one letter before the slash, which no ARN has.
	"arn=any": arnOf(`[a-z-]+`),
}

var tagKey = &rule{min: new(1), max: new(128)}

func arnOf(noun string) rule {
	return rule{min: new(1), max: new(128), pattern: newPattern(`arn:aws:ivs:[a-z0-9-]+:[0-9]+:` + noun + `/[a-zA-Z0-9-]+`)}
}

// parseCheck reads a `check` tag: words separated by commas. "required",
// "min=N", "max=N" and "anycase" speak for themselves; any other word is one of
// the nouns.
func parseCheck(tag string) (r rule, required bool) {
	for word := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "":
		case "required":
			required = true
		case "anycase":
			r.anyCase = true
		case "min":
			r.min = new(mustInt(value))
		case "max":
			r.max = new(mustInt(value))
		default:
			noun, ok := nouns[word]
			if !ok {
				panic("api: check tag with unknown word " + word)
			}
			r = noun
		}
	}
	return r, required
}

func mustInt(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("api: check tag: " + err.Error())
	}
	return n
}

// forType adds the values of an enumeration to the rule.
func (r rule) forType(t reflect.Type) rule {
	if e, ok := reflect.Zero(t).Interface().(enum); ok {
		r.enum = e.values()
	}
	return r
}

// The texts below are those of Smithy's published validation tests for
// restJson1, the protocol of this API:
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
//
// A value is told its first failure only: a session id of three characters
// hears about its length, not about its pattern as well.

// checkPresent notes that a required member is missing.
func (d *decoding) checkPresent(required bool) {
	if required {
		d.fail("Value", "Member must not be null")
	}
}

// fold gives the value of the enumeration that s is, if its letters are taken
// for capital ones.
func (r *rule) fold(s string) string {
	for _, value := range r.enum {
		if r.anyCase && len(s) == len(value) && strings.EqualFold(s, value) { // of the same length, so in ASCII
			return value
		}
	}
	return s
}

// checkString reports whether s keeps the rule, and notes it if not.
func (d *decoding) checkString(r *rule, s string) bool {
	if (r.min != nil || r.max != nil) && !d.checkLength(r, utf8.RuneCountInString(s)) {
		return false
	}
	if r.pattern != nil && !r.pattern.matches(s) {
		d.fail("Value", "Member must satisfy regular expression pattern: "+r.pattern.text)
		return false
	}
	if r.enum != nil && !slices.Contains(r.enum, s) {
		d.fail("Value", "Member must satisfy enum value set: ["+strings.Join(r.enum, ", ")+"]")
		return false
	}
	return true
}

// checkLength is for strings, lists and maps of n elements.
func (d *decoding) checkLength(r *rule, n int) bool {
	if r.within(n) {
		return true
	}
	d.fail("Value with length "+strconv.Itoa(n), "Member must have length "+r.bounds())
	return false
}

func (d *decoding) checkNumber(r *rule, n float64) {
	if r.min != nil && n < float64(*r.min) || r.max != nil && n > float64(*r.max) {
		d.fail("Value", "Member must be "+r.bounds())
	}
}

// fail notes a failure of the current value. The value itself is never told:
// it may be a secret.
func (d *decoding) fail(what, text string) {
	d.failed++
	if d.failed <= maxTold {
		d.told = append(d.told, what+" at '"+d.pointer()+"' failed to satisfy constraint: "+text)
	}
}

// failures gives all failures as one error, nil if there are none.
func (d *decoding) failures() error {
	switch d.failed {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected. " + d.told[0])
	default:
		return invalid(fmt.Sprintf("%d validation errors detected. %s", d.failed, strings.Join(d.told, "; ")))
	}
}

func (r *rule) within(n int) bool {
	return (r.min == nil || n >= *r.min) && (r.max == nil || n <= *r.max)
}

func (r *rule) bounds() string {
	switch {
	case r.max == nil:
		return fmt.Sprintf("greater than or equal to %d", *r.min)
	case r.min == nil:
		return fmt.Sprintf("less than or equal to %d", *r.max)
	default:
		return fmt.Sprintf("between %d and %d, inclusive", *r.min, *r.max)
	}
}
