package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"callboard/internal/stage"
)

// decoding is one request on its way into its input.
type decoding struct {
	at     []string // names of the members around the current value
	failed int      // number of constraints that were not met
	told   []string // the first of them, spelled out
}

// decode fills in v from the request. Wrong JSON and wrong types end it at
// once; failed constraints are collected and told together.
func (s *shape) decode(r *request, v reflect.Value) error {
	body := []byte("{}")
	if s.hasBody() && len(r.body) > 0 {
		body = skipSpace(r.body)
	}
	if !json.Valid(body) {
		return malformed("The request body is not valid JSON: %v", json.Unmarshal(body, new(any)))
	}
	if body[0] != '{' {
		return malformed("The request body must be a JSON object.")
	}
	var d decoding
	if err := d.object(s, r, body, v); err != nil {
		return err
	}
	return d.failures()
}

// object decodes a JSON object into a struct, in the order of its fields.
// r is nil for all but the outermost one, which also has members elsewhere.
func (d *decoding) object(s *shape, r *request, raw []byte, v reflect.Value) error {
	values := make([][]byte, len(s.fields))
	for name, value := range quotedMembers(raw) {
		if i, ok := s.find(name); ok {
			values[i] = value
		}
	}
	for i, f := range s.fields {
		if err := d.member(f, r, values[i], v.FieldByIndex(f.index)); err != nil {
			return err
		}
	}
	return nil
}

// find gives the field of a name as it stands in JSON. Most have nothing to
// unquote, and then need no string of their own.
func (s *shape) find(quoted []byte) (field int, ok bool) {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 {
		field, ok = s.body[string(inner)]
		return field, ok
	}
	field, ok = s.body[unquote(quoted)]
	return field, ok
}

// member decodes one member; raw is nil if the JSON object does not have it.
func (d *decoding) member(f field, r *request, raw []byte, v reflect.Value) error {
	d.at = append(d.at, f.name)
	defer d.leave()
	switch {
	case f.source == fromPath:
		d.stringValue(f.shape, r.resource, v)
		return nil
	case f.source == fromQuery:
		d.queryList(f, r.URL.Query()[f.name], v)
		return nil
	case raw == nil || isNull(raw):
		d.checkPresent(f.required)
		return nil
	default:
		return d.value(f.shape, raw, v)
	}
}

// queryList decodes a list that is spelled by repeating its name in the query.
func (d *decoding) queryList(f field, values []string, v reflect.Value) {
	if len(values) == 0 {
		d.checkPresent(f.required)
		return
	}
	d.checkLength(&f.shape.rule, len(values))
	v.Set(reflect.MakeSlice(v.Type(), len(values), len(values)))
	for i, text := range values {
		d.at = append(d.at, strconv.Itoa(i))
		d.stringValue(f.shape.item, text, v.Index(i))
		d.leave()
	}
}

// value decodes one JSON value that is not null.
func (d *decoding) value(s *shape, raw []byte, v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch kind := s.typ.Kind(); {
	case kind == reflect.String || s.typ == arnType:
		if raw[0] != '"' {
			return d.wrongType("a string")
		}
		d.stringValue(s, unquote(raw), v)
	case kind == reflect.Bool:
		if raw[0] != 't' && raw[0] != 'f' {
			return d.wrongType("a boolean")
		}
		v.SetBool(raw[0] == 't')
	case kind == reflect.Int:
		n, err := strconv.ParseInt(string(raw), 10, 32)
		if err != nil {
			return d.wrongType("an integer of 32 bits")
		}
		v.SetInt(n)
		d.checkNumber(&s.rule, float64(n)) // which holds every integer of 32 bits
	case kind == reflect.Float32:
		if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
			return d.wrongType("a number")
		}
		n, _ := strconv.ParseFloat(string(raw), 64) // infinite if it is out of all range
		v.SetFloat(n)
		d.checkNumber(&s.rule, n)
	case kind == reflect.Slice:
		return d.list(s, raw, v)
	case kind == reflect.Map:
		return d.mapping(s, raw, v)
	default:
		if raw[0] != '{' {
			return d.wrongType("an object")
		}
		return d.object(s, nil, raw, v)
	}
	return nil
}

// stringValue checks a string and stores it, as text or as an ARN.
func (d *decoding) stringValue(s *shape, text string, v reflect.Value) {
	text = s.rule.fold(text)
	switch {
	case !d.checkString(&s.rule, text):
	case s.typ == arnType:
		arn, err := stage.ParseARN(text)
		if err != nil {
			d.fail("Value", err.Error())
		}
		v.Set(reflect.ValueOf(arn))
	default:
		v.SetString(text)
	}
}

func (d *decoding) list(s *shape, raw []byte, v reflect.Value) error {
	if raw[0] != '[' {
		return d.wrongType("a list")
	}
	values := slices.Collect(items(raw))
	d.checkLength(&s.rule, len(values))
	v.Set(reflect.MakeSlice(v.Type(), len(values), len(values)))
	for i, value := range values {
		if err := d.element(s.item, strconv.Itoa(i), value, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// mapping decodes a map in the order of its keys, so that the same request
// always gets the same answer.
func (d *decoding) mapping(s *shape, raw []byte, v reflect.Value) error {
	if raw[0] != '{' {
		return d.wrongType("a map")
	}
	values := maps.Collect(members(raw))
	d.checkLength(&s.rule, len(values))
	v.Set(reflect.MakeMapWithSize(v.Type(), len(values)))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if s.rule.key != nil {
			d.checkString(s.rule.key, key)
		}
		item := reflect.New(s.item.typ).Elem()
		if err := d.element(s.item, key, values[key], item); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(key), item)
	}
	return nil
}

// element decodes one item of a list or map.
func (d *decoding) element(s *shape, name string, raw []byte, v reflect.Value) error {
	d.at = append(d.at, name)
	defer d.leave()
	if isNull(raw) {
		return d.wrongType("other than null")
	}
	return d.value(s, raw, v)
}

func (d *decoding) leave() { d.at = d.at[:len(d.at)-1] }

func (d *decoding) wrongType(want string) error {
	return malformed("The value at '%s' must be %s.", d.pointer(), want)
}

// pointer gives the place of the current value as a JSON pointer (RFC 6901).
func (d *decoding) pointer() string {
	var b strings.Builder
	for _, name := range d.at {
		b.WriteByte('/')
		pointerEscape.WriteString(&b, clip(name))
	}
	return b.String()
}

// clip shortens a key that a stranger chose to what is worth repeating.
func clip(name string) string {
	const longest = 256 // bytes; more than any key that is allowed has in ASCII
	if len(name) <= longest {
		return name
	}
	return strings.ToValidUTF8(name[:longest], "") + "..."
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

func isNull(raw []byte) bool { return raw[0] == 'n' }
