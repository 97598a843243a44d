package desk

import (
	"reflect"
	"strings"
	"time"
	"unicode"
)

// schema is a JSON Schema as OpenAPI 3.1 has them.
type schema map[string]any

// shapes are the named types that schemas speak of.
type shapes map[string]schema

// of gives the schema of a type. A struct with a name is described once and referred
// to.
func (s shapes) of(t reflect.Type) schema {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return schema{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return s.of(t.Elem())
	case t.Kind() == reflect.Struct && t.Name() != "":
		return s.named(t)
	}
	switch t.Kind() {
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Float64:
		return schema{"type": "number"}
	case reflect.Slice:
		return schema{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.object(t)
	case reflect.Interface:
		return schema{}
	}
	panic("the description has no words for " + t.String())
}

func (s shapes) named(t reflect.Type) schema {
	name := []rune(t.Name())
	name[0] = unicode.ToUpper(name[0])
	if _, known := s[string(name)]; !known {
		s[string(name)] = schema{} // against going round in circles
		s[string(name)] = s.object(t)
	}
	return schema{"$ref": "#/components/schemas/" + string(name)}
}

// object describes the members of a struct by their tags: json, doc and enum.
func (s shapes) object(t reflect.Type) schema {
	properties, required := schema{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "-" || name == "" {
			continue
		}
		member := s.of(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			member["description"] = doc
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			member["enum"] = strings.Split(enum, ",")
		}
		properties[name] = member
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	out := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// schema describes a parameter.
func (p *param) schema() schema {
	out := shapes{}.of(p.typ)
	least, most := "minimum", "maximum"
	if p.typ.Kind() == reflect.String {
		least, most = "minLength", "maxLength"
	}
	if p.min != nil {
		out[least] = *p.min
	}
	if p.max != nil {
		out[most] = *p.max
	}
	if p.enum != nil {
		out["enum"] = p.enum
	}
	return out
}
