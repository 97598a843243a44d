//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// glossary are what a scenario calls the things it cannot know beforehand. In an
// expected output "{stage1:stage}" demands the ARN of a stage and from then on
// "{stage1}" stands for it, in inputs and outputs alike; "{:time}" demands a
// time and forgets it. "{x*129}" is 129 times x.
type glossary map[string]string

var (
	wholeName = regexp.MustCompile(`^\{([a-z][A-Za-z0-9]*)?:([a-z-]+)\}$`)
	anyName   = regexp.MustCompile(`\{([a-z][A-Za-z0-9]*)\}`)
	repeated  = regexp.MustCompile(`\{([^{}*]+)\*(\d+)\}`)
)

// kinds are what a name may stand for.
var kinds = func() map[string]*regexp.Regexp {
	list := map[string]string{
		"any":        `(?s).+`,
		"id":         `[a-zA-Z0-9]{12}`,
		"session":    `st-[a-zA-Z0-9]{13}`,
		"token":      `[\w-]+\.[\w-]+\.[\w-]+`,
		"next":       `[a-zA-Z0-9+/=_-]+`,
		"time":       `time:20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`,
		"uuid":       `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`,
		"streamkey":  `rt_` + account + `_` + region + `_[a-zA-Z0-9]{12}_[a-zA-Z0-9]{30}`,
		"public-key": `arn:aws:ivs:` + region + `:` + account + `:public-key/[0-9a-f-]{36}`,
	}
	for _, typ := range []string{"stage", "encoder-configuration", "storage-configuration", "ingest-configuration", "composition"} {
		list[typ] = `arn:aws:ivs:[a-z0-9-]+:` + account + `:` + typ + `/[a-zA-Z0-9]{12}`
	}
	out := map[string]*regexp.Regexp{}
	for kind, pattern := range list {
		out[kind] = regexp.MustCompile(`^(?:` + pattern + `)$`)
	}
	return out
}()

// fill puts what names stand for in their place.
func (n glossary) fill(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return n.text(v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			value, err := n.fill(item)
			if err != nil {
				return nil, err
			}
			out[i] = value
		}
		return out, nil
	case map[string]any:
		out := map[string]any{}
		for key, item := range v {
			name, err := n.text(key)
			if err != nil {
				return nil, err
			}
			if out[name], err = n.fill(item); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func (n glossary) text(s string) (out string, err error) {
	s = repeated.ReplaceAllStringFunc(s, func(found string) string {
		part := repeated.FindStringSubmatch(found)
		times, _ := strconv.Atoi(part[2])
		return strings.Repeat(part[1], times)
	})
	out = anyName.ReplaceAllStringFunc(s, func(found string) string {
		value, ok := n[found[1:len(found)-1]]
		if !ok {
			err = fmt.Errorf("nothing has the name %s yet", found)
		}
		return value
	})
	return out, err
}

// compare tells the first difference between an output and the expected one. An
// SDK that is blind cannot tell some zeros from what is absent.
func (n glossary) compare(at string, got, want any, blind bool) string {
	switch want := want.(type) {
	case map[string]any:
		return n.compareMembers(at, got, want, blind)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return differs(at, got, want)
		}
		for i := range want {
			if wrong := n.compare(fmt.Sprint(at, "/", i), list[i], want[i], blind); wrong != "" {
				return wrong
			}
		}
		return ""
	case string:
		return n.compareText(at, got, want)
	}
	if got != want {
		return differs(at, got, want)
	}
	return ""
}

func (n glossary) compareMembers(at string, got any, want map[string]any, blind bool) string {
	filled := map[string]any{}
	for name, value := range want {
		key, err := n.text(name)
		if err != nil {
			return err.Error()
		}
		filled[key] = value
	}
	members, ok := got.(map[string]any)
	if !ok {
		return differs(at, got, want)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if _, ok := filled[name]; !ok {
			return fmt.Sprintf("%s/%s is %s and was not expected", at, name, text(members[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(filled)) {
		value, ok := members[name]
		if zero := filled[name] == false || filled[name] == "" || filled[name] == 0.0; !ok && !(blind && zero) {
			return fmt.Sprintf("%s/%s is missing in %s", at, name, text(members))
		} else if !ok {
			continue
		}
		if wrong := n.compare(at+"/"+name, value, filled[name], blind); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (n glossary) compareText(at string, got any, want string) string {
	s, ok := got.(string)
	if !ok {
		return differs(at, got, want)
	}
	s = inUTC(s)
	if kind := wholeName.FindStringSubmatch(want); kind != nil {
		pattern, known := kinds[kind[2]]
		if !known || !pattern.MatchString(s) {
			return differs(at, got, want)
		}
		if before, bound := n[kind[1]]; bound && before != s {
			return differs(at, got, before)
		}
		if kind[1] != "" {
			n[kind[1]] = s
		}
		return ""
	}
	filled, err := n.text(want)
	if err != nil {
		return err.Error()
	}
	if s != filled {
		return differs(at, s, filled)
	}
	return ""
}

// inUTC spells a time in one way for all.
func inUTC(s string) string {
	rest, marked := strings.CutPrefix(s, "time:")
	if at, err := time.Parse(time.RFC3339Nano, rest); marked && err == nil {
		return "time:" + at.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	return s
}

func differs(at string, got, want any) string {
	return fmt.Sprintf("%s\n got %s\nwant %s", at, text(got), text(want))
}
