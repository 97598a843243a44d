package seed

import (
	"bytes"
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of a policy that is written in YAML.
const (
	maxDepth    = 32
	maxDocument = 64 << 10 // bytes
)

// toJSON writes what a node says as JSON. Every member stands as many lines below
// the node as it does in the file, so that a mistake in it can be told with its line.
func toJSON(n *yaml.Node) (json.RawMessage, error) {
	w := &jsonWriter{line: n.Line}
	if err := w.value(n, 0); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

type jsonWriter struct {
	bytes.Buffer
	line int
}

func (w *jsonWriter) value(n *yaml.Node, depth int) error {
	n = resolved(n)
	for ; w.line < n.Line; w.line++ {
		w.WriteByte('\n')
	}
	if depth > maxDepth || w.Len() > maxDocument {
		return wrong(n, "a policy is at most %d deep and %d bytes long", maxDepth, maxDocument)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return w.list(n, "{:,}", depth)
	case yaml.SequenceNode:
		return w.list(n, "[,,]", depth)
	}
	return w.scalar(n)
}

// list writes the content of a mapping or a sequence between its marks.
func (w *jsonWriter) list(n *yaml.Node, marks string, depth int) error {
	w.WriteByte(marks[0])
	for i, item := range n.Content {
		if i > 0 {
			w.WriteByte(marks[2-i%2])
		}
		key := n.Kind == yaml.MappingNode && i%2 == 0
		if key && resolved(item).Kind != yaml.ScalarNode {
			return wrong(item, "a member of a policy must have a plain name")
		}
		if err := w.value(item, depth+1); err != nil {
			return err
		}
	}
	w.WriteByte(marks[3])
	return nil
}

// scalar writes text as text: a version looks like a date, an account like a number.
func (w *jsonWriter) scalar(n *yaml.Node) error {
	var v any = n.Value
	switch n.Tag {
	case "!!bool", "!!null":
		if err := n.Decode(&v); err != nil {
			return wrong(n, "%v", oneLine(err))
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return wrong(n, "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	w.Write(text)
	return nil
}
