package desk

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// document is a description, read as a client would read it.
type document struct{ root map[string]any }

func described(t *testing.T) *document {
	t.Helper()
	text, err := Description()
	if err != nil {
		t.Fatal(err)
	}
	d := new(document)
	if err := json.Unmarshal(text, &d.root); err != nil {
		t.Fatal(err)
	}
	return d
}

// operation finds what is described under a path and a method, nil if nothing is.
func (d *document) operation(method, path string) map[string]any {
	item, _ := d.root["paths"].(map[string]any)[path].(map[string]any)
	op, _ := item[strings.ToLower(method)].(map[string]any)
	return op
}

func (d *document) parameters(op map[string]any) (list []map[string]any) {
	all, _ := op["parameters"].([]any)
	for _, p := range all {
		list = append(list, p.(map[string]any))
	}
	return list
}

// response finds what is described for a status.
func (d *document) response(op map[string]any, status int) map[string]any {
	all := op["responses"].(map[string]any)
	if one, ok := all[strconv.Itoa(status)].(map[string]any); ok {
		return one
	}
	if status < 400 {
		return nil
	}
	one, _ := all["default"].(map[string]any)
	return one
}

// resolve follows a reference.
func (d *document) resolve(form any) map[string]any {
	m, _ := form.(map[string]any)
	if ref, ok := m["$ref"].(string); ok {
		named := d.root["components"].(map[string]any)["schemas"].(map[string]any)
		return named[strings.TrimPrefix(ref, "#/components/schemas/")].(map[string]any)
	}
	return m
}

// validate holds JSON against a schema. It knows what our schemas use of JSON Schema
// and is stricter in one thing: a member that is not described is wrong.
func (d *document) validate(t *testing.T, form any, text []byte) {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Errorf("%s is no JSON: %v", text, err)
		return
	}
	if wrong := d.faults(form, value, "$"); wrong != nil {
		t.Errorf("%s\nis not what is described: %s", text, strings.Join(wrong, "; "))
	}
}

func (d *document) faults(form, value any, at string) (wrong []string) {
	m := d.resolve(form)
	if len(m) == 0 { // anything
		return nil
	}
	if enum, ok := m["enum"].([]any); ok && !slices.Contains(enum, value) {
		wrong = append(wrong, fmt.Sprintf("%s is %v, not one of %v", at, value, enum))
	}
	kind := m["type"]
	switch v := value.(type) {
	case map[string]any:
		return append(wrong, d.objectFaults(m, v, at)...)
	case []any:
		if kind != "array" {
			return append(wrong, at+" is an array")
		}
		for i, item := range v {
			wrong = append(wrong, d.faults(m["items"], item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return wrong
	case string:
		if m["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, v); err != nil || !strings.HasSuffix(v, "Z") {
				wrong = append(wrong, at+" is no time in UTC")
			}
		}
		if pattern, ok := m["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(v) {
			wrong = append(wrong, at+" does not match "+pattern)
		}
		return mustBe(wrong, at, kind, "string")
	case bool:
		return mustBe(wrong, at, kind, "boolean")
	case float64:
		if kind == "integer" && v == float64(int64(v)) {
			return wrong
		}
		return mustBe(wrong, at, kind, "number")
	}
	if kind != nil { // null
		wrong = append(wrong, at+" is null")
	}
	return wrong
}

func mustBe(wrong []string, at string, kind any, want string) []string {
	if kind != nil && kind != want {
		return append(wrong, fmt.Sprintf("%s is a %s, not a %v", at, want, kind))
	}
	return wrong
}

func (d *document) objectFaults(m, value map[string]any, at string) (wrong []string) {
	if m["type"] != "object" {
		return []string{at + " is an object"}
	}
	required, _ := m["required"].([]any)
	for _, name := range required {
		if _, ok := value[name.(string)]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s has no %v", at, name))
		}
	}
	members, _ := m["properties"].(map[string]any)
	for name, v := range value {
		switch form := members[name]; {
		case form != nil:
			wrong = append(wrong, d.faults(form, v, at+"."+name)...)
		case m["additionalProperties"] != nil:
			wrong = append(wrong, d.faults(m["additionalProperties"], v, at+"."+name)...)
		default:
			wrong = append(wrong, at+"."+name+" is not described")
		}
	}
	return wrong
}

func TestTheValidatorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := described(t)
	form := map[string]any{"$ref": "#/components/schemas/Session"}
	good := `{"stageArn":"a","sessionId":"s","startTime":"2026-01-02T03:04:05Z","participants":1,"connected":0}`
	for text, wrong := range map[string]bool{
		good: false,
		strings.Replace(good, "connected", "conected", 1): true,
		strings.Replace(good, ":1", `:"1"`, 1):            true,
		strings.Replace(good, ":1", `:1.5`, 1):            true,
		strings.Replace(good, "05Z", "05", 1):             true,
		strings.Replace(good, `"a"`, `null`, 1):           true,
		strings.Replace(good, `{`, `{"endTime":null,`, 1): true,
		strings.Replace(good, `{`, `{"more":true,`, 1):    true,
		"[" + good + "]": true,
	} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if got := d.faults(form, value, "$"); (got != nil) != wrong {
			t.Errorf("%s: found %v", text, got)
		}
	}
}
