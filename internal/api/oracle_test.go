package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// oracle says what must come of a request. It interprets the model of the
// service, shares no code with the server and knows none of its tags, so the
// two can only agree if both are right, or wrong in the same way.
type oracle struct {
	*model
	patterns map[string]*regexp.Regexp
	failed   []failure
}

// failure is a constraint that is not met: its place and its text.
type failure struct{ at, text string }

// errNotOfTheModel is what the oracle answers for JSON of the wrong form or type.
var errNotOfTheModel = fmt.Errorf("SerializationException")

// judge gives the failures of a request; the error is errNotOfTheModel when it
// is no request of that operation at all.
func (o *oracle) judge(operation, resource string, query url.Values, body string) ([]failure, error) {
	o.failed = nil
	shape := o.Shapes[o.Operations[operation].Input.Shape]
	members := map[string]any{}
	inBody := false
	for _, ref := range shape.Members {
		inBody = inBody || ref.Location == ""
	}
	if inBody && body != "" {
		tree, err := parseJSON(body)
		object, ok := tree.(map[string]any)
		if err != nil || !ok {
			return nil, errNotOfTheModel
		}
		members = object
	}
	given := map[string]any{}
	for name, ref := range shape.Members {
		switch ref.Location {
		case "uri":
			given[name] = resource
		case "querystring":
			if values, ok := query[ref.LocationName]; ok {
				list := make([]any, len(values))
				for i, v := range values {
					list[i] = v
				}
				given[name] = list
			}
		default:
			given[name] = members[name]
		}
	}
	err := o.structure("", shape, given)
	return o.failed, err
}

// parseJSON reads one value and nothing more.
func parseJSON(text string) (any, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errNotOfTheModel
	}
	return tree, nil
}

func (o *oracle) structure(at string, s modelShape, members map[string]any) (err error) {
	for name, ref := range s.Members {
		value := members[name]
		if value == nil {
			if slices.Contains(s.Required, name) {
				o.fail("Value", at+"/"+name, "Member must not be null")
			}
			continue
		}
		if wrong := o.value(at+"/"+name, ref.Shape, value); wrong != nil {
			err = wrong
		}
	}
	return err
}

func (o *oracle) value(at, name string, value any) error {
	s := o.Shapes[name]
	switch v := value.(type) {
	case string:
		if s.Type != "string" {
			return errNotOfTheModel
		}
		o.text(at, name, v)
	case bool:
		if s.Type != "boolean" {
			return errNotOfTheModel
		}
	case json.Number:
		return o.number(at, s, v.String())
	case []any:
		if s.Type != "list" {
			return errNotOfTheModel
		}
		o.length(at, s, len(v))
		return o.elements(at, s.Member.Shape, v)
	case map[string]any:
		return o.object(at, s, v)
	default:
		return errNotOfTheModel
	}
	return nil
}

func (o *oracle) elements(at, shape string, list []any) (err error) {
	for i, item := range list {
		if wrong := o.value(fmt.Sprint(at, "/", i), shape, item); wrong != nil {
			err = wrong
		}
	}
	return err
}

func (o *oracle) object(at string, s modelShape, members map[string]any) (err error) {
	switch s.Type {
	case "structure":
		return o.structure(at, s, members)
	case "map":
		o.length(at, s, len(members))
		for key, value := range members {
			o.text(at, s.Key.Shape, key)
			if wrong := o.value(at+"/"+pointerText(key), s.Value.Shape, value); wrong != nil {
				err = wrong
			}
		}
		return err
	}
	return errNotOfTheModel
}

// pointerText is a key as a JSON pointer spells it; the server shortens long ones.
func pointerText(key string) string {
	if len(key) > 256 {
		key = strings.ToValidUTF8(key[:256], "") + "..."
	}
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// text looks at a string; only its first failure counts.
func (o *oracle) text(at, name, v string) {
	s := o.Shapes[name]
	if !o.length(at, s, utf8.RuneCountInString(v)) {
		return
	}
	if pattern := o.pattern(name); pattern != "" && !o.compiled(pattern).MatchString(v) {
		o.fail("Value", at, "Member must satisfy regular expression pattern: "+pattern)
		return
	}
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(known string) bool {
		return v == known || caseless[name] && strings.EqualFold(v, known)
	}) {
		o.fail("Value", at, "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
	}
}

// caseless are enumerations that documented examples spell in lower case.
var caseless = map[string]bool{"IngestProtocol": true}

// pattern is the one of the model, unless that is known to be wrong.
func (o *oracle) pattern(name string) string {
	if better, ok := betterPatterns[name]; ok {
		return better
	}
	return o.Shapes[name].Pattern
}

func (o *oracle) compiled(pattern string) *regexp.Regexp {
	if o.patterns == nil {
		o.patterns = map[string]*regexp.Regexp{}
	}
	if o.patterns[pattern] == nil {
		o.patterns[pattern] = regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	}
	return o.patterns[pattern]
}

func (o *oracle) number(at string, s modelShape, literal string) error {
	n, _ := strconv.ParseFloat(literal, 64)
	switch s.Type {
	case "float":
	case "integer":
		if strings.ContainsAny(literal, ".eE") || n < math.MinInt32 || n > math.MaxInt32 {
			return errNotOfTheModel
		}
	default:
		return errNotOfTheModel
	}
	if s.Min != nil && n < float64(*s.Min) || s.Max != nil && n > float64(*s.Max) {
		o.fail("Value", at, "Member must be "+limits(s))
	}
	return nil
}

func (o *oracle) length(at string, s modelShape, n int) bool {
	if s.Min != nil && n < *s.Min || s.Max != nil && n > *s.Max {
		o.fail(fmt.Sprint("Value with length ", n), at, "Member must have length "+limits(s))
		return false
	}
	return true
}

func limits(s modelShape) string {
	switch {
	case s.Max == nil:
		return fmt.Sprint("greater than or equal to ", *s.Min)
	case s.Min == nil:
		return fmt.Sprint("less than or equal to ", *s.Max)
	}
	return fmt.Sprintf("between %d and %d, inclusive", *s.Min, *s.Max)
}

func (o *oracle) fail(what, at, text string) {
	o.failed = append(o.failed, failure{at, what + " at '" + at + "' failed to satisfy constraint: " + text})
}

// complain says what is wrong with an answer of success, going by the model.
func (o *oracle) complain(operation, body string) string {
	output := o.Operations[operation].Output.Shape
	empty := true
	for _, ref := range o.Shapes[output].Members {
		empty = empty && ref.Location != ""
	}
	if empty {
		if body != "" {
			return "the body is not empty"
		}
		return ""
	}
	tree, err := parseJSON(body)
	if err != nil {
		return err.Error()
	}
	return o.complainOf("", output, tree)
}

func (o *oracle) complainOf(at, name string, value any) string {
	s := o.Shapes[name]
	switch v := value.(type) {
	case map[string]any:
		return o.complainOfObject(at, s, v)
	case []any:
		for i, item := range v {
			if wrong := o.complainOf(fmt.Sprint(at, "/", i), s.Member.Shape, item); wrong != "" {
				return wrong
			}
		}
		if s.Type != "list" {
			return at + " is a list, not a " + s.Type
		}
		return ""
	case string:
		if s.Type == "timestamp" {
			if !isoTime.MatchString(v) {
				return at + " is no time: " + v
			}
			return ""
		}
		o.failed = nil
		if s.Type == "string" {
			o.text(at, name, v)
		}
		if len(o.failed) > 0 {
			return o.failed[0].text + " with " + v
		}
	}
	kind := map[string]bool{"string": isKind[string](value), "timestamp": isKind[string](value), "boolean": isKind[bool](value),
		"integer": isKind[json.Number](value), "float": isKind[json.Number](value)}
	if !kind[s.Type] {
		return fmt.Sprintf("%s is %v, not a %s", at, value, s.Type)
	}
	return ""
}

func (o *oracle) complainOfObject(at string, s modelShape, members map[string]any) string {
	if s.Type != "structure" && s.Type != "map" {
		return at + " is an object, not a " + s.Type
	}
	for _, name := range s.Required {
		if _, ok := members[name]; !ok {
			return at + "/" + name + " is required"
		}
	}
	for name, value := range members {
		shape := s.Value.Shape
		if s.Type == "structure" {
			ref, ok := s.Members[name]
			if !ok || ref.Location != "" {
				return at + "/" + name + " is not a member"
			}
			shape = ref.Shape
		}
		if wrong := o.complainOf(at+"/"+name, shape, value); wrong != "" {
			return wrong
		}
	}
	return ""
}

var isoTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$`)

func isKind[T any](v any) bool { _, ok := v.(T); return ok }
