package api

import (
	"reflect"

	"callboard/internal/stage"
)

// shape is a wire type with its rules, compiled once from the tags of a struct.
type shape struct {
	typ    reflect.Type
	rule   rule
	item   *shape         // of a list or map
	fields []field        // of a struct
	body   map[string]int // fields by their name in the JSON object
	named  bool           // it is, or has in it, a resource that the request is about
}

// field is one member of a struct.
type field struct {
	name     string
	source   source
	index    []int
	required bool
	shape    *shape
}

// source is the part of the request that holds a member.
type source string

const (
	fromBody  source = "json"
	fromPath  source = "path"
	fromQuery source = "query"
)

var arnType = reflect.TypeFor[stage.ARN]()

// compileInput compiles the input struct of an operation.
func compileInput(t reflect.Type) *shape { return compile(t, rule{}) }

func compile(t reflect.Type, r rule) *shape {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := &shape{typ: t, rule: r.forType(t)}
	switch {
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Map:
		var of rule
		if r.item != nil {
			of = *r.item
		}
		s.item = compile(t.Elem(), of)
		s.named = s.item.named
	case t.Kind() == reflect.Struct && t != arnType:
		s.compileFields()
	}
	return s
}

func (s *shape) compileFields() {
	s.body = map[string]int{}
	for _, f := range reflect.VisibleFields(s.typ) {
		if f.Anonymous { // its members are among the others
			continue
		}
		compiled := compileField(f)
		s.named = s.named || compiled.shape.named
		if compiled.source == fromBody {
			s.body[compiled.name] = len(s.fields)
		}
		s.fields = append(s.fields, compiled)
	}
}

func compileField(f reflect.StructField) field {
	out := field{index: f.Index}
	for _, from := range []source{fromBody, fromPath, fromQuery} {
		if name, ok := f.Tag.Lookup(string(from)); ok {
			out.name, out.source = name, from
		}
	}
	if out.name == "" {
		panic("api: input member without a name: " + f.Name)
	}
	r, required := parseCheck(f.Tag.Get("check"))
	out.required = required
	out.shape = compile(f.Type, r)
	if about, ok := f.Tag.Lookup("iam"); ok {
		out.shape.markResource(about, f.Name)
	}
	return out
}

// markResource notes that the value, or each item of the list, names a resource
// that must be allowed.
func (s *shape) markResource(about, member string) {
	s.named = true
	switch {
	case about != "resource":
		panic("api: iam tag with unknown word " + about)
	case s.typ.Kind() == reflect.Slice:
		s.item.markResource(about, member)
	case s.typ != arnType && s.typ.Kind() != reflect.String:
		panic("api: input member cannot name a resource: " + member)
	}
}

func (s *shape) hasBody() bool { return len(s.body) > 0 }
