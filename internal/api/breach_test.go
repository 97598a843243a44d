package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// breach is one way of breaking a valid request.
type breach struct {
	what string
	at   []string // the member that is changed
	to   any      // its new value; nil removes it
	want string   // message; "" when the answer is a SerializationException
}

func TestEveryConstraintOfTheModelIsKept(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	w := newWorld(t)
	for _, op := range table() {
		t.Run(op.name, func(t *testing.T) {
			input := m.Operations[op.name].Input.Shape
			for _, b := range m.breaches(nil, input) {
				members := m.valid(input).(map[string]any)
				if op.name == "ListParticipants" {
					keepOneFilter(members, b.at[0])
				}
				set(members, b.at, b.to)
				got := w.callWith(op, m.Shapes[input], members)
				code := validation
				if b.want == "" {
					code = "SerializationException"
				}
				if got.status != 400 || got.code() != code || b.want != "" && got.message() != b.want {
					t.Errorf("%s at %v: got %d %s\n     %s\nwant %s", b.what, b.at, got.status, got.code(), got.body, b.want)
				}
			}
		})
	}
}

// keepOneFilter removes all filters but the one at hand.
func keepOneFilter(members map[string]any, keep string) {
	for name := range members {
		if strings.HasPrefix(name, "filterBy") && name != keep {
			delete(members, name)
		}
	}
}

// callWith puts members where the model wants them.
func (w *world) callWith(op operation, input modelShape, members map[string]any) answer {
	body, path, query := map[string]any{}, op.path, ""
	for name, value := range members {
		switch input.Members[name].Location {
		case "uri":
			path += url.QueryEscape(value.(string)) // SDKs escape all that is reserved
		case "querystring":
			for _, item := range value.([]any) {
				query += "&" + name + "=" + url.QueryEscape(item.(string))
			}
		default:
			body[name] = value
		}
	}
	if query != "" {
		path += "?" + query[1:]
	}
	raw, err := json.Marshal(body)
	w.check(err)
	if op.method != "POST" {
		raw = nil
	}
	return w.call(op.method, path, string(raw))
}

// examples are strings that satisfy the patterns of the model.
var examples = map[string]string{
	"StageArn":                    testStage,
	"PublicKeyArn":                "arn:aws:ivs:eu-west-1:123456789012:public-key/f99cde61-c2b0-4df3-8941-ca7d38acca1a",
	"ResourceArn":                 testStage,
	"StageSessionId":              "st-1CVugbu2cf2n8",
	"PublicKeyMaterial":           testPEM,
	"CompositionArn":              "arn:aws:ivs:eu-west-1:123456789012:composition/AbCdEfGhIjKl",
	"ChannelArn":                  "arn:aws:ivs:eu-west-1:123456789012:channel/AbCdEfGhIjKl",
	"IngestConfigurationArn":      "arn:aws:ivs:eu-west-1:123456789012:ingest-configuration/AbCdEfGhIjKl",
	"IngestConfigurationStageArn": testStage,
	"EncoderConfigurationArn":     "arn:aws:ivs:eu-west-1:123456789012:encoder-configuration/AbCdEfGhIjKl",
	"StorageConfigurationArn":     "arn:aws:ivs:eu-west-1:123456789012:storage-configuration/AbCdEfGhIjKl",
	"AutoParticipantRecordingStorageConfigurationArn": "arn:aws:ivs:eu-west-1:123456789012:storage-configuration/AbCdEfGhIjKl",
}

// valid makes a value that satisfies a shape, with all members there.
func (m *model) valid(name string) any {
	s := m.Shapes[name]
	switch s.Type {
	case "structure":
		out := map[string]any{}
		for member, ref := range s.Members {
			out[member] = m.valid(ref.Shape)
		}
		return out
	case "list":
		return []any{m.valid(s.Member.Shape)}
	case "map":
		return map[string]any{m.valid(s.Key.Shape).(string): m.valid(s.Value.Shape)}
	case "integer", "float":
		return *s.Min
	case "boolean":
		return true
	case "string":
		if len(s.Enum) > 0 {
			return s.Enum[0]
		}
		if example, ok := examples[name]; ok {
			return example
		}
		return "abc"
	}
	panic("model has a " + s.Type)
}

// breaches lists every way to break what the model says about a shape.
func (m *model) breaches(at []string, name string) []breach {
	s := m.Shapes[name]
	list := m.wrongTypes(at, s)
	list = append(list, m.wrongValues(at, name)...)
	switch s.Type {
	case "structure":
		for member, ref := range s.Members {
			in := append(slices.Clone(at), member)
			if ref.Location == "" && slices.Contains(s.Required, member) || ref.Location == "querystring" {
				list = append(list, breach{"absent", in, nil, one("Value", in, "Member must not be null")})
			}
			below := m.breaches(in, ref.Shape)
			if ref.Location != "" { // text has no types
				below = slices.DeleteFunc(below, func(b breach) bool { return b.want == "" })
			}
			list = append(list, below...)
		}
	case "list":
		list = append(list, m.breaches(append(slices.Clone(at), "0"), s.Member.Shape)...)
	case "map":
		key := m.valid(s.Key.Shape).(string)
		list = append(list, m.breaches(append(slices.Clone(at), key), s.Value.Shape)...)
		for _, b := range m.wrongValues(at, s.Key.Shape) { // told at the map itself
			b.what, b.to = "key "+b.what, map[string]any{b.to.(string): "v"}
			list = append(list, b)
		}
	}
	return list
}

// wrongValues breaks the constraints of one value.
func (m *model) wrongValues(at []string, name string) []breach {
	s := m.Shapes[name]
	bounds := ""
	switch {
	case s.Min != nil && s.Max != nil:
		bounds = fmt.Sprintf("between %d and %d, inclusive", *s.Min, *s.Max)
	case s.Min != nil:
		bounds = fmt.Sprintf("greater than or equal to %d", *s.Min)
	case s.Max != nil:
		panic("the model has a bound above only now")
	}
	var list []breach
	breakLength := func(n int) {
		list = append(list, breach{"length", at, m.ofLength(s, n),
			one(fmt.Sprintf("Value with length %d", n), at, "Member must have length "+bounds)})
	}
	switch {
	case bounds == "":
	case s.Type == "integer" || s.Type == "float":
		for _, n := range outside(s) {
			list = append(list, breach{"range", at, json.Number(n), one("Value", at, "Member must be "+bounds)})
		}
	default:
		breakLength(*s.Max + 1)
		if *s.Min > 0 {
			breakLength(*s.Min - 1)
		}
	}
	if len(s.Enum) > 0 {
		wrong := strings.ToLower(s.Enum[0])
		if name == "IngestProtocol" { // of which the official example has small letters
			wrong += "\u017f"
		}
		list = append(list, breach{"enum", at, wrong,
			one("Value", at, "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")})
	}
	if s.Pattern != "" {
		pattern := s.Pattern
		if better, ok := betterPatterns[name]; ok {
			pattern = better
		}
		good := m.valid(name).(string)
		want := one("Value", at, "Member must satisfy regular expression pattern: "+pattern)
		list = append(list, breach{"pattern", at, "!" + good[1:], want})
		if name != "PublicKeyMaterial" { // which allows a remark after the key
			list = append(list, breach{"pattern", at, good[:len(good)-1] + "\n", want})
		}
	}
	return list
}

// outside gives numbers that a shape does not allow, as near to the ones it
// does as possible.
func outside(s modelShape) []string {
	list := []string{strconv.Itoa(*s.Min - 1)}
	if s.Max != nil {
		list = append(list, strconv.Itoa(*s.Max+1))
	}
	if s.Type == "float" {
		list = append(list, fmt.Sprintf("%d.00000001", *s.Max), "1e300", "1e999", "-1e999", fmt.Sprintf("%d.99999999", *s.Min-1))
	}
	return list
}

// ofLength makes a string, list or map of n elements.
func (m *model) ofLength(s modelShape, n int) any {
	switch s.Type {
	case "list":
		return slices.Repeat([]any{m.valid(s.Member.Shape)}, n)
	case "map":
		out := map[string]any{}
		for i := range n {
			out[fmt.Sprintf("key%d", i)] = m.valid(s.Value.Shape)
		}
		return out
	}
	return strings.Repeat("é", n) // characters count, not bytes
}

// wrongTypes sends JSON of other types than the model's.
func (m *model) wrongTypes(at []string, s modelShape) []breach {
	others := map[string]any{"string": "1", "integer": 1, "boolean": true, "list": []any{}, "map": map[string]any{}}
	switch s.Type {
	case "structure":
		delete(others, "map")
	case "float":
		delete(others, "integer")
	}
	delete(others, s.Type)
	if len(at) == 0 {
		return nil
	}
	var list []breach
	for name, value := range others {
		list = append(list, breach{name + " for " + s.Type, at, value, ""})
	}
	switch s.Type {
	case "integer":
		for _, number := range []string{"1.5", "1.0", "1e1", "2147483648", "-2147483649", "99999999999999999999"} {
			list = append(list, breach{"number", at, json.Number(number), ""})
		}
	case "list":
		list = append(list, breach{"null in list", at, []any{nil}, ""})
	case "map":
		list = append(list, breach{"null in map", at, map[string]any{"k": nil}, ""})
	}
	return list
}

// one is the message of a single failure.
func one(what string, at []string, text string) string {
	return fmt.Sprintf("1 validation error detected. %s at '/%s' failed to satisfy constraint: %s", what, strings.Join(at, "/"), text)
}

// set changes what is at a place in a tree of JSON.
func set(tree any, at []string, value any) {
	for _, name := range at[:len(at)-1] {
		if list, ok := tree.([]any); ok {
			tree = list[0]
			continue
		}
		tree = tree.(map[string]any)[name]
	}
	last := at[len(at)-1]
	switch tree := tree.(type) {
	case []any:
		tree[0] = value
	case map[string]any:
		if tree[last] = value; value == nil {
			delete(tree, last)
		}
	}
}
