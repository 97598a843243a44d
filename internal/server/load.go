package server

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed callboard.yaml
var sample string

// Sample is a configuration file that sets everything to its default and
// explains it.
func Sample() string { return sample }

// Sources is where settings come from. A flag wins over a variable, a variable
// over the file, the file over the default.
type Sources struct {
	Flag func(name string) (string, bool)     // value of --name, if it was given
	Env  func(variable string) (string, bool) // as os.LookupEnv; an empty value counts as not set
	File string                               // path of the configuration file, "" for none
}

// Load gives the configuration that the sources describe. Its error is one
// sentence that names the setting, where it came from and what is allowed.
func Load(from Sources) (Config, error) {
	c := Default()
	file, err := readFile(from.File)
	if err != nil {
		return Config{}, err
	}
	for _, s := range Settings() {
		value, origin, found := from.find(s, file)
		if found && !s.set(&c, value) {
			return Config{}, s.refusal(origin, value)
		}
	}
	return c, c.check()
}

// find gives the value of the strongest source and what to call it in an error.
func (from Sources) find(s Setting, file map[string]keyed) (value, origin string, found bool) {
	if from.Flag != nil {
		if v, ok := from.Flag(s.Name); ok {
			return v, "--" + s.Name, true
		}
	}
	if from.Env != nil {
		if v, ok := from.Env(s.Variable()); ok && v != "" {
			return v, s.Variable(), true
		}
	}
	v, ok := file[s.Name]
	return v.value, fmt.Sprintf("%s in %s (line %d)", s.Name, from.File, v.line), ok
}

// keyed is the value of one key of the configuration file.
type keyed struct {
	value string
	line  int
}

func readFile(path string) (map[string]keyed, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration file cannot be read: %w", err)
	}
	defer f.Close()
	values, err := parseFile(f)
	if err != nil {
		return nil, fmt.Errorf("the configuration file %s is not right: %w", path, err)
	}
	return values, nil
}

// parseFile reads a flat YAML mapping. It works on nodes, not on a struct, so
// that every error can name its line.
func parseFile(r io.Reader) (map[string]keyed, error) {
	var document yaml.Node
	err := yaml.NewDecoder(r).Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: it must be a list of settings such as \"listen: 127.0.0.1:7480\"", root.Line)
	}
	values := make(map[string]keyed)
	for i := 0; i+1 < len(root.Content); i += 2 {
		if err := addKey(values, root.Content[i], root.Content[i+1]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func addKey(values map[string]keyed, key, value *yaml.Node) error {
	if !known(key.Value) {
		return fmt.Errorf("line %d: there is no setting %q", key.Line, key.Value)
	}
	if _, twice := values[key.Value]; twice {
		return fmt.Errorf("line %d: %s is set twice", key.Line, key.Value)
	}
	text, err := plain(value)
	if err != nil {
		return fmt.Errorf("line %d: %s %w", value.Line, key.Value, err)
	}
	values[key.Value] = keyed{text, key.Line}
	return nil
}

// plain writes a scalar, or a list of scalars, as it would stand in a flag.
func plain(n *yaml.Node) (string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return n.Value, nil
	case n.Kind == yaml.SequenceNode:
		var parts []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return "", errors.New("must be a list of plain values")
			}
			parts = append(parts, item.Value)
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("has no plain value")
}

func known(name string) bool {
	for _, s := range Settings() {
		if s.Name == name {
			return true
		}
	}
	return false
}
