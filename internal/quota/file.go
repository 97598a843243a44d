package quota

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxFile is the most that is read of a file, in bytes.
const maxFile = 1 << 20

// Load gives the profile that a setting names: "aws", "none", or the path of a
// file. operations are those of the API. The error is one sentence.
func Load(name string, operations []string) (Profile, error) {
	switch name {
	case "aws":
		return AWS(), nil
	case none:
		return None(), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return Profile{}, fmt.Errorf("quotas must be aws, none or a file: %w", err)
	}
	defer f.Close()
	p, err := Read(f, operations)
	if err != nil {
		return Profile{}, fmt.Errorf("the quotas file %s is not right: %w", name, err)
	}
	return p, nil
}

// Read reads a file of quotas: YAML with a profile to start from under base, and
// what is different. The error names the line.
func Read(r io.Reader, operations []string) (Profile, error) {
	root, err := readMapping(r)
	if err != nil {
		return Profile{}, err
	}
	p := None()
	if base := valueOf(root, "base"); base != nil {
		switch text, _ := scalar(base); text {
		case "aws":
			p = AWS()
		case none:
		default:
			return Profile{}, at(base, "base is %.50q: it must be aws or none", text)
		}
	}
	err = each(root, func(key, value *yaml.Node) error {
		switch key.Value {
		case "base":
			return nil
		case "rates":
			return p.readRates(value, operations)
		case "burst":
			return p.readBurst(value)
		}
		return p.readLimit(key, value)
	})
	return p, err
}

func (p Profile) readLimit(key, value *yaml.Node) error {
	f, known := find(key.Value)
	switch {
	case !known:
		return at(key, "there is no quota %.50q", key.Value)
	case f.state == fixed:
		return at(key, "%s is part of the API and cannot be changed", f.name)
	}
	text, ok := scalar(value)
	if n, valid := f.unit.parse(text); ok && valid {
		p.limits[f.name] = n
		return nil
	}
	return at(value, "%s is %.50q: it must be %s", f.name, text, f.unit.allowed())
}

// Bounds of a rate, in calls per second. A bucket of less would be kept for
// longer than a server should have to.
const (
	minRate = 0.001
	maxRate = 1_000_000
)

func (p Profile) readRates(rates *yaml.Node, operations []string) error {
	if rates.Kind != yaml.MappingNode {
		return at(rates, "rates must be a list such as \"GetStage: 5\"")
	}
	return each(rates, func(key, value *yaml.Node) error {
		_, group := None().rates[key.Value]
		if !group && !slices.Contains(operations, key.Value) {
			return at(key, "there is no operation and no group %.50q", key.Value)
		}
		text, ok := scalar(value)
		if text == none {
			p.rates[key.Value] = 0
			return nil
		}
		r, valid := decimal(text)
		if !ok || !valid || r < minRate || r > maxRate {
			return at(value, "the rate of %s is %.50q: it must be a number of calls per second from 0.001 to 1000000, or none", key.Value, text)
		}
		p.rates[key.Value] = r
		return nil
	})
}

func (p *Profile) readBurst(value *yaml.Node) error {
	text, ok := scalar(value)
	b, valid := decimal(text)
	if !ok || !valid || b < minRate || b > 3600 {
		return at(value, "burst is %.50q: it must be a number of seconds' worth of calls from 0.001 to 3600", text)
	}
	p.burst = b
	return nil
}

// decimal reads a number as people write it: not all that Go takes for one.
func decimal(s string) (float64, bool) {
	for _, c := range s {
		if c != '.' && (c < '0' || c > '9') {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// readMapping reads the one document of a file. It works on nodes, not on a
// struct, so that every error can name its line.
func readMapping(r io.Reader) (*yaml.Node, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	if err := documents.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := documents.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, cmp.Or(err, at(&more, "a file has one document"))
	}
	if len(document.Content) == 0 || document.Content[0].ShortTag() == "!!null" {
		return new(yaml.Node), nil
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, at(root, "it must be a list of quotas such as \"stages: 1000\"")
	}
	return root, nil
}

// each visits the keys of a mapping, none of which may be there twice.
func each(mapping *yaml.Node, visit func(key, value *yaml.Node) error) error {
	seen := make(map[string]bool)
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return at(key, "a key must be a plain word")
		}
		if seen[key.Value] {
			return at(key, "%.50q is there twice", key.Value)
		}
		seen[key.Value] = true
		if err := visit(key, value); err != nil {
			return err
		}
	}
	return nil
}

func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// scalar gives the text of a plain value, "" for what is none.
func scalar(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return "", false
	}
	return n.Value, true
}

func at(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, args...))
}
