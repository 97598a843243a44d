package desk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what stands in a query.
const (
	maxParameters = 64
	longestValue  = 1024 // bytes, unless the parameter says otherwise
)

// input is the type of what a route takes. Its members have one of the tags
//
//	path:"name"     a word of the path, a string
//	query:"name"    a parameter: string, number, truth value, time, or a pointer to
//	                one, nil when it is absent
//	query:"name.*"  all parameters that begin with "name.", a map of the rest
//	body:""         the JSON body, read strictly
//
// and, to be kept and described, doc (one line), enum (the values there are, separated
// by commas), min and max (of a number, or of the characters of a string).
type input struct {
	typ    reflect.Type
	params []param
	body   *reflect.StructField
}

// param is one member that comes from the path or the query.
type param struct {
	name     string
	from     string // path or query
	index    []int
	typ      reflect.Type // without the pointer
	optional bool
	doc      string
	enum     []string
	min, max *int64
}

// compile reads the tags of an input.
func compile(t reflect.Type, path string) *input {
	in := &input{typ: t}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		if _, ok := f.Tag.Lookup("body"); ok {
			in.body = &f
			continue
		}
		in.params = append(in.params, newParam(t, f))
	}
	for _, p := range in.params {
		if p.from == "path" && !strings.Contains(path, "{"+p.name+"}") {
			panic(fmt.Sprintf("%v: %s is not in %s", t, p.name, path))
		}
	}
	return in
}

func newParam(t reflect.Type, f reflect.StructField) param {
	p := param{index: f.Index, typ: f.Type, from: "query", doc: f.Tag.Get("doc"), min: bound(f, "min"), max: bound(f, "max")}
	if name, ok := f.Tag.Lookup("path"); ok {
		p.name, p.from = name, "path"
	} else if p.name, ok = f.Tag.Lookup("query"); !ok {
		panic(fmt.Sprintf("%v: %s comes from nowhere", t, f.Name))
	}
	if p.doc == "" {
		panic(fmt.Sprintf("%v: %s is not described", t, f.Name))
	}
	p.optional = p.from == "query" && f.Tag.Get("required") == ""
	if enum := f.Tag.Get("enum"); enum != "" {
		p.enum = strings.Split(enum, ",")
	}
	if p.typ.Kind() == reflect.Pointer {
		p.typ = p.typ.Elem()
	}
	return p
}

func bound(f reflect.StructField, tag string) *int64 {
	text, ok := f.Tag.Lookup(tag)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s has a %s that is no number", f.Name, tag))
	}
	return &n
}

// decode fills in v, a value of the input's type.
func (in *input) decode(c *call, v reflect.Value) error {
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return invalid("The query string is not properly escaped")
	}
	if err := in.unknown(query); err != nil {
		return err
	}
	for i := range in.params {
		if err := in.params[i].decode(c, query, v); err != nil {
			return err
		}
	}
	if in.body == nil {
		if len(c.Body) > 0 {
			return invalid("This request has no body")
		}
		return nil
	}
	return decodeBody(c.Body, v.FieldByIndex(in.body.Index).Addr().Interface())
}

// unknown refuses parameters that the route does not have: one that was misspelt
// would else change the question without a word.
func (in *input) unknown(query url.Values) error {
	if len(query) > maxParameters {
		return invalid(fmt.Sprintf("There may be at most %d parameters", maxParameters))
	}
	for name, values := range query {
		if strings.HasPrefix(name, "X-Amz-") { // the presigned form
			continue
		}
		known := slices.ContainsFunc(in.params, func(p param) bool { return p.from == "query" && p.named(name) })
		switch {
		case !known:
			return invalid(fmt.Sprintf("There is no parameter %.100q here", name))
		case len(values) > 1:
			return invalid(fmt.Sprintf("The parameter %.100q may be there only once", name))
		case len(values[0]) > longestValue || !utf8.ValidString(values[0]) || !utf8.ValidString(name):
			return invalid(fmt.Sprintf("The value of the parameter %.100q must be UTF-8 of at most %d bytes", name, longestValue))
		}
	}
	return nil
}

// named tells whether a parameter of the query is meant.
func (p *param) named(name string) bool {
	prefix, many := strings.CutSuffix(p.name, "*")
	return name == p.name || many && len(name) > len(prefix) && strings.HasPrefix(name, prefix)
}

func (p *param) decode(c *call, query url.Values, in reflect.Value) error {
	v := in.FieldByIndex(p.index)
	if prefix, many := strings.CutSuffix(p.name, "*"); many {
		found := map[string]string{}
		for name, values := range query {
			if p.named(name) {
				found[strings.TrimPrefix(name, prefix)] = values[0]
			}
		}
		if len(found) > 0 {
			v.Set(reflect.ValueOf(found))
		}
		return nil
	}
	text, there := c.words[p.name]
	if p.from == "query" {
		there = query.Has(p.name)
		text = query.Get(p.name)
	}
	if !there {
		if p.optional {
			return nil
		}
		return invalid("The parameter " + p.name + " is missing")
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(p.typ))
		v = v.Elem()
	}
	return p.read(text, v)
}

// read reads the text of one value.
func (p *param) read(text string, v reflect.Value) error {
	if p.enum != nil && !slices.Contains(p.enum, text) {
		return invalid(fmt.Sprintf("%s must be one of %s", p.name, strings.Join(p.enum, ", ")))
	}
	if p.typ == reflect.TypeFor[time.Time]() {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return invalid(p.name + " must be a time such as 2026-01-02T03:04:05Z")
		}
		v.Set(reflect.ValueOf(at))
		return nil
	}
	size := int64(utf8.RuneCountInString(text))
	switch p.typ.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return invalid(p.name + " must be true or false")
		}
		v.SetBool(text == "true")
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v.OverflowInt(n) {
			return invalid(p.name + " must be a whole number")
		}
		v.SetInt(n)
		size = n
	}
	if p.min != nil && size < *p.min || p.max != nil && size > *p.max {
		return invalid(p.name + " must " + p.bounds())
	}
	return nil
}

// bounds finishes the sentence "it must ...".
func (p *param) bounds() string {
	verb, unit := "be", ""
	if p.typ.Kind() == reflect.String {
		verb, unit = "have", " characters"
	}
	switch {
	case p.min == nil:
		return fmt.Sprintf("%s at most %d%s", verb, *p.max, unit)
	case p.max == nil:
		return fmt.Sprintf("%s at least %d%s", verb, *p.min, unit)
	}
	return fmt.Sprintf("%s %d to %d%s", verb, *p.min, *p.max, unit)
}

// decodeBody reads a JSON object strictly.
func decodeBody(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if errors.Is(err, io.EOF) {
			return invalid("The request needs a body, a JSON object")
		}
		return invalid("The request body is not what is expected: " + err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("Something follows the JSON object in the request body")
	}
	return nil
}
