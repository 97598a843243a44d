package seed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// This file reads YAML by its nodes and not into structs, so that every mistake
// can be told with its line.

// root gives the top of the one document of a file; nil if the file says nothing.
func root(text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	err := d.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, oneLine(err)
	}
	switch err := d.Decode(&more); {
	case err == nil:
		return nil, fmt.Errorf("line %d: a seed is one document", more.Line)
	case !errors.Is(err, io.EOF):
		return nil, oneLine(err)
	}
	return document.Content[0], nil
}

func oneLine(err error) error {
	return errors.New(strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: "))
}

// wrong is an error at a node.
func wrong(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, args...))
}

// resolved follows an alias to what it stands for. One that contains itself does
// no harm: what is read of a seed is only so deep, and counted.
func resolved(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// empty tells whether nothing is said, as in "tokens:" without a list.
func empty(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// members are what a mapping may have and who reads each of it.
type members map[string]func(*yaml.Node) error

// mapping reads a mapping; what is the thing it describes.
func mapping(n *yaml.Node, what string, m members) error {
	n = resolved(n)
	if n.Kind != yaml.MappingNode {
		return wrong(n, "%s must be a mapping with %s", what, names(m))
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolved(n.Content[i+1])
		read, ok := m[key.Value]
		switch {
		case !ok || key.Kind != yaml.ScalarNode:
			return wrong(key, "%s has no %.50q; it has %s", what, key.Value, names(m))
		case seen[key.Value]:
			return wrong(key, "%s is said twice", key.Value)
		}
		seen[key.Value] = true
		if empty(value) {
			continue
		}
		if err := read(value); err != nil {
			return err
		}
	}
	return nil
}

func names(m members) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }

// each reads the items of a list.
func each(n *yaml.Node, what string, read func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode {
		return wrong(n, "%s must be a list", what)
	}
	for _, item := range n.Content {
		if err := read(resolved(item)); err != nil {
			return err
		}
	}
	return nil
}

// text reads a scalar as it is written: an account of digits is no number.
func text(into *string, what string, ok func(string) bool, allowed string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return wrong(n, "%s must be %s", what, allowed)
		}
		if !ok(n.Value) {
			return wrong(n, "%s is %.80q; it must be %s", what, n.Value, allowed)
		}
		*into = n.Value
		return nil
	}
}

// secret is text that no error repeats.
func secret(into *string, what string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return wrong(n, "%s must be text", what)
		}
		*into = n.Value
		return nil
	}
}

// pairs reads names with values.
func pairs(into *map[string]string, what string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.MappingNode {
			return wrong(n, "%s must be names with values", what)
		}
		*into = make(map[string]string, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := resolved(n.Content[i]), resolved(n.Content[i+1])
			if key.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode || empty(value) {
				return wrong(key, "%s must be names with plain values", what)
			}
			if _, twice := (*into)[key.Value]; twice {
				return wrong(key, "%.50q is said twice in %s", key.Value, what)
			}
			(*into)[key.Value] = value.Value
		}
		return nil
	}
}
