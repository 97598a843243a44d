package api

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"callboard/internal/stage"
)

// model is the documented service model of the API, as far as we look at it.
type model struct {
	Operations map[string]struct {
		HTTP   struct{ Method, RequestURI string }
		Input  modelRef
		Output modelRef
		Errors []modelRef
	}
	Shapes map[string]modelShape
}

type modelRef struct{ Shape, Location, LocationName string }

type modelShape struct {
	Type     string
	Required []string
	Members  map[string]modelRef
	Min, Max *int
	Pattern  string
	Enum     []string
	Member   modelRef
	Key      modelRef
	Value    modelRef
}

func readModel(t testing.TB) *model {
	t.Helper()
	raw, err := os.ReadFile("testdata/model.json")
	if err != nil {
		t.Fatal(err)
	}
	m := new(model)
	if err := json.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// betterPatterns are those of the model that are not to be taken literally.
var betterPatterns = map[string]string{
	// one letter for the type of a resource would refuse every ARN
	"ResourceArn": `arn:aws:ivs:[a-z0-9-]+:[0-9]+:[a-z-]+/[a-zA-Z0-9-]+`,
	// ids of self-signed tokens may contain an underscore
	"ParticipantId": `[a-zA-Z0-9-_]*`,
}

// notAnswered are output members that this server has nothing to say about.
var notAnswered = map[string]string{
	"StageEndpoints.rtmp":                       "there is no RTMP ingest",
	"StageEndpoints.rtmps":                      "there is no RTMP ingest",
	"ParticipantSummary.redundantIngest":        "there is no RTMP ingest",
	"ParticipantSummary.ingestConfigurationArn": "there is no RTMP ingest",
	"Participant.redundantIngest":               "there is no RTMP ingest",
	"Participant.ingestConfigurationArn":        "there is no RTMP ingest",
	"ParticipantSummary.replicationState":       "absent for ordinary participants",
	"ParticipantSummary.sourceStageArn":         "absent for ordinary participants",
	"ParticipantSummary.sourceSessionId":        "absent for ordinary participants",
	"Participant.replicationState":              "absent for ordinary participants",
	"Participant.sourceStageArn":                "absent for ordinary participants",
	"Participant.sourceSessionId":               "absent for ordinary participants",
	"Event.replica":                             "true for replicas only",
	"Event.destinationStageArn":                 "on replication events only",
	"Event.destinationSessionId":                "on replication events only",
}

func TestTableHasTheOperationsOfTheModel(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	seen := map[string]bool{}
	for _, op := range table() {
		want, ok := m.Operations[op.name]
		if !ok || seen[op.name] {
			t.Errorf("%s is not in the model, or twice in the table", op.name)
		}
		seen[op.name] = true
		if path := strings.TrimSuffix(want.HTTP.RequestURI, "{resourceArn}"); op.method != want.HTTP.Method || op.path != path {
			t.Errorf("%s is at %s %s, want %s %s", op.name, op.method, op.path, want.HTTP.Method, path)
		}
		for _, name := range op.errors {
			if !slices.ContainsFunc(want.Errors, func(r modelRef) bool { return r.Shape == name }) {
				t.Errorf("%s declares %s, the model does not", op.name, name)
			}
		}
	}
	if len(seen) != 39 || len(m.Operations) != 39 {
		t.Errorf("%d operations in the table, %d in the model, want 39", len(seen), len(m.Operations))
	}
}

func TestInputsAreThoseOfTheModel(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	for _, op := range table() {
		t.Run(op.name, func(t *testing.T) {
			m.compareInput(t, "", compileInput(op.input), m.Operations[op.name].Input.Shape)
		})
	}
}

func (m *model) compareInput(t *testing.T, at string, got *shape, name string) {
	want := m.Shapes[name]
	if kind := inputKind(got); kind != want.Type {
		t.Errorf("%s (%s) is a %s, want %s", at, name, kind, want.Type)
		return
	}
	pattern := want.Pattern
	if better, ok := betterPatterns[name]; ok {
		pattern = better
	}
	rule := got.rule
	if rule.pattern == nil && pattern != "" || rule.pattern != nil && rule.pattern.text != pattern {
		t.Errorf("%s (%s) has the pattern %v, want %s", at, name, rule.pattern, pattern)
	}
	if !reflect.DeepEqual(rule.min, want.Min) || !reflect.DeepEqual(rule.max, want.Max) || !slices.Equal(rule.enum, want.Enum) {
		t.Errorf("%s (%s) has the rule %+v, want %+v", at, name, rule, want)
	}
	switch want.Type {
	case "list":
		m.compareInput(t, at+"/0", got.item, want.Member.Shape)
	case "map":
		m.compareInput(t, at+"/value", got.item, want.Value.Shape)
		key := &shape{typ: reflect.TypeFor[string]()}
		if rule.key != nil {
			key.rule = *rule.key
		}
		m.compareInput(t, at+"/key", key, want.Key.Shape)
	case "structure":
		m.compareMembers(t, at, got, want)
	}
}

func (m *model) compareMembers(t *testing.T, at string, got *shape, want modelShape) {
	sources := map[string]source{"": fromBody, "uri": fromPath, "querystring": fromQuery}
	seen := map[string]bool{}
	for _, f := range got.fields {
		member, ok := want.Members[f.name]
		if !ok {
			t.Errorf("%s/%s is not in the model", at, f.name)
			continue
		}
		seen[f.name] = true
		if f.source != sources[member.Location] {
			t.Errorf("%s/%s is in %s, want %s", at, f.name, f.source, sources[member.Location])
		}
		if required := slices.Contains(want.Required, f.name); f.required != required {
			t.Errorf("%s/%s: required is %v", at, f.name, f.required)
		}
		m.compareInput(t, at+"/"+f.name, f.shape, member.Shape)
	}
	for name := range want.Members {
		if !seen[name] {
			t.Errorf("%s/%s is missing", at, name)
		}
	}
}

func inputKind(s *shape) string {
	if s.typ == arnType {
		return "string"
	}
	return kinds[s.typ.Kind()]
}

// kinds are the words of the model for the types of Go.
var kinds = map[reflect.Kind]string{
	reflect.String: "string", reflect.Int: "integer", reflect.Float32: "float", reflect.Bool: "boolean",
	reflect.Slice: "list", reflect.Map: "map", reflect.Struct: "structure",
}

func TestOutputsAreThoseOfTheModel(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	unused := maps.Clone(notAnswered)
	for _, op := range table() {
		if op.output != nil {
			m.compareOutput(t, op.name, op.output, m.Operations[op.name].Output.Shape, unused)
		}
	}
	if len(unused) > 0 {
		t.Errorf("members are answered although listed as not: %v", unused)
	}
}

func (m *model) compareOutput(t *testing.T, at string, got reflect.Type, name string, unused map[string]string) {
	want := m.Shapes[name]
	kind := kinds[got.Kind()]
	if got == reflect.TypeFor[timestamp]() {
		kind = "timestamp"
	}
	if kind != want.Type {
		t.Errorf("%s (%s) is a %s, want %s", at, name, kind, want.Type)
		return
	}
	switch kind {
	case "list":
		m.compareOutput(t, at+"/0", got.Elem(), want.Member.Shape, unused)
	case "map":
		m.compareOutput(t, at+"/value", got.Elem(), want.Value.Shape, unused)
	case "structure":
		left := maps.Clone(want.Members)
		for _, f := range reflect.VisibleFields(got) {
			if f.Anonymous || !f.IsExported() { // which is not sent
				continue
			}
			member, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			ref, ok := left[member]
			if !ok {
				t.Errorf("%s/%s is not in the model", at, member)
				continue
			}
			delete(left, member)
			if option != "" && slices.Contains(want.Required, member) {
				t.Errorf("%s/%s is required, but may be left out", at, member)
			}
			m.compareOutput(t, at+"/"+member, f.Type, ref.Shape, unused)
		}
		for member := range left {
			if notAnswered[name+"."+member] == "" {
				t.Errorf("%s/%s is missing", at, member)
			}
			delete(unused, name+"."+member)
		}
	}
}

// TestLimitsThemselvesAreAllowed guards against limits that are off by one on
// the inner side.
func TestLimitsThemselvesAreAllowed(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	for name, s := range m.Shapes {
		if s.Type != "string" || s.Max == nil || s.Pattern != "" {
			continue
		}
		d := decoding{}
		r := rule{min: s.Min, max: s.Max}
		if !d.checkString(&r, strings.Repeat("é", *s.Max)) || !d.checkString(&r, strings.Repeat("é", *s.Min)) {
			t.Errorf("%s refuses its own limits", name)
		}
	}
	if _, err := stage.ParseARN(testStage); err != nil {
		t.Error(err)
	}
}
