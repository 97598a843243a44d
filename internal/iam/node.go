package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Bounds on a policy document. The characters are AWS's bound on a managed policy;
// white space is not counted among them.
const (
	maxBytes      = 64 << 10
	maxCharacters = 6144
	maxDepth      = 8 // a sound policy has 6
)

// kind is what a JSON value is, in words.
type kind string

const (
	object  kind = "an object"
	list    kind = "a list"
	str     kind = "a string"
	number  kind = "a number"
	boolean kind = "true or false"
	null    kind = "null"
)

// node is a JSON value that remembers the line it begins in.
type node struct {
	kind    kind
	line    int
	text    string // of a string, a number or a boolean
	members []member
	items   []*node
}

type member struct {
	name  string
	line  int
	value *node
}

// fault is what is wrong with a document, and where.
type fault struct {
	line   int
	reason string
}

func (f *fault) Error() string { return f.reason }

func faultf(line int, format string, args ...any) *fault {
	return &fault{line, fmt.Sprintf(format, args...)}
}

// read gives the tree of a document within its bounds, which begins in a line.
func read(document []byte, line int) (*node, error) {
	if f := check(document); f != nil {
		f.line += line - 1
		return nil, f
	}
	r := reader{decoder: json.NewDecoder(bytes.NewReader(document)), document: document, line: line}
	r.decoder.UseNumber()
	return r.value(0)
}

// check tells why a document is no JSON within the bounds, nil if it is. It counts
// lines from the beginning of the document.
func check(document []byte) *fault {
	if f := measure(document); f != nil {
		return f
	}
	var whole json.RawMessage
	if err := json.Unmarshal(document, &whole); err != nil {
		line := 1 + bytes.Count(document, []byte("\n"))
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			line = lineAt(document, int(e.Offset)-1)
		}
		return faultf(line, "this is not JSON: %v", err)
	}
	return nil
}

func measure(document []byte) *fault {
	if len(document) > maxBytes {
		return faultf(lineAt(document, maxBytes), "the document has %d bytes; at most %d are read", len(document), maxBytes)
	}
	characters := 0
	for i := 0; i < len(document); {
		c, width := utf8.DecodeRune(document[i:])
		if c == utf8.RuneError && width == 1 {
			return faultf(lineAt(document, i), "the text is not UTF-8")
		}
		if !unicode.IsSpace(c) {
			characters++
		}
		if characters > maxCharacters {
			return faultf(lineAt(document, i), "the document has more than %d characters, white space not counted", maxCharacters)
		}
		i += width
	}
	return nil
}

func lineAt(document []byte, offset int) int {
	return 1 + bytes.Count(document[:min(max(offset, 0), len(document))], []byte("\n"))
}

// reader walks over a document that is known to be JSON and counts its lines.
type reader struct {
	decoder  *json.Decoder
	document []byte
	offset   int
	line     int
}

func (r *reader) token() (json.Token, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, faultf(r.line, "this is not JSON: %v", err)
	}
	end := int(r.decoder.InputOffset())
	r.line += bytes.Count(r.document[r.offset:end], []byte("\n"))
	r.offset = end
	return token, nil
}

func (r *reader) value(depth int) (*node, error) {
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	if depth == maxDepth {
		return nil, faultf(r.line, "this is nested more deeply than any policy")
	}
	n := &node{line: r.line}
	switch v := token.(type) {
	case string:
		n.kind, n.text = str, v
	case json.Number:
		n.kind, n.text = number, v.String()
	case bool:
		n.kind, n.text = boolean, fmt.Sprint(v)
	case json.Delim:
		if v == '{' {
			return n, r.object(n, depth)
		}
		return n, r.list(n, depth)
	default:
		n.kind = null
	}
	return n, nil
}

func (r *reader) object(n *node, depth int) error {
	n.kind = object
	seen := make(map[string]int)
	for r.decoder.More() {
		token, err := r.token()
		if err != nil {
			return err
		}
		m := member{name: token.(string), line: r.line} // JSON has no other names
		if first, ok := seen[m.name]; ok {
			return faultf(m.line, "%q is here twice, first in line %d; values for one name belong in one list", m.name, first)
		}
		seen[m.name] = m.line
		if m.value, err = r.value(depth + 1); err != nil {
			return err
		}
		n.members = append(n.members, m)
	}
	_, err := r.token()
	return err
}

func (r *reader) list(n *node, depth int) error {
	n.kind = list
	for r.decoder.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	_, err := r.token()
	return err
}
