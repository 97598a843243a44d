package iam

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Versions of the policy language. Variables came with the second.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Parse reads a policy document, JSON as AWS users know it. The error names the
// policy, the line and the reason, and is safe to show.
func Parse(name string, document []byte) (*Policy, error) { return ParseAt(name, document, 1) }

// ParseAt is Parse for a document that stands in a larger file, from this line on:
// the lines in the error are those of the file.
func ParseAt(name string, document []byte, line int) (*Policy, error) {
	statements, err := parse(document, line)
	if err != nil {
		if f, ok := errors.AsType[*fault](err); ok {
			line = f.line
		}
		return nil, fmt.Errorf("policy %s, line %d: %w", name, line, err)
	}
	return &Policy{Name: name, document: slices.Clone(document), statements: statements}, nil
}

func parse(document []byte, line int) ([]statement, error) {
	root, err := read(bytes.TrimPrefix(document, []byte("\ufeff")), line)
	if err != nil {
		return nil, err
	}
	if root.kind != object {
		return nil, faultf(root.line, "a policy is an object, not %s", root.kind)
	}
	p := parser{sids: make(map[string]int)}
	var statements *node
	for _, m := range root.members {
		switch m.name {
		case "Version":
			err = p.version(m)
		case "Id":
			err = m.mustBe(str)
		case "Statement":
			statements = m.value
		default:
			err = unknownElement(m, "Version", "Id", "Statement")
		}
		if err != nil {
			return nil, err
		}
	}
	if statements == nil {
		return nil, faultf(root.line, "the policy has no Statement")
	}
	return p.all(statements)
}

func (m *member) mustBe(k kind) error {
	if m.value.kind != k {
		return faultf(m.value.line, "%s must be %s, not %s", m.name, k, m.value.kind)
	}
	return nil
}

func unknownElement(m member, known ...string) error {
	hint := ""
	if word := nearest(m.name, slices.Values(known)); word != "" {
		hint = fmt.Sprintf("; did you mean %q?", word)
	}
	return faultf(m.line, "there is no element %q here%s", m.name, hint)
}

// parser is what has to be known of a policy while its statements are read.
type parser struct {
	variables bool           // ${...} is one
	sids      map[string]int // with their lines
}

func (p *parser) version(m member) error {
	if err := m.mustBe(str); err != nil {
		return err
	}
	if m.value.text != version2008 && m.value.text != version2012 {
		return faultf(m.value.line, "Version is %q: it must be %q, or the older %q", m.value.text, version2012, version2008)
	}
	p.variables = m.value.text == version2012
	return nil
}

// all reads the statements, of which there may be one without a list.
func (p *parser) all(n *node) ([]statement, error) {
	nodes := []*node{n}
	if n.kind == list {
		nodes = n.items
	}
	if len(nodes) == 0 {
		return nil, faultf(n.line, "Statement is an empty list")
	}
	statements := make([]statement, len(nodes))
	for i, n := range nodes {
		statements[i] = statement{name: fmt.Sprintf("statement %d", i+1), line: n.line}
		if n.kind != object {
			return nil, faultf(n.line, "a statement is an object, not %s", n.kind)
		}
		if err := p.statement(&statements[i], n); err != nil {
			return nil, err
		}
	}
	return statements, nil
}

func (p *parser) statement(s *statement, n *node) error {
	effect := false
	for _, m := range n.members {
		var err error
		switch m.name {
		case "Sid":
			err = p.sid(s, m)
		case "Effect":
			effect, err = true, s.effect(m)
		case "Action", "NotAction":
			err = p.actions(s, m)
		case "Resource", "NotResource":
			err = p.resources(s, m)
		case "Condition":
			s.conditions, err = p.conditions(m)
		case "Principal", "NotPrincipal":
			err = faultf(m.line, "an identity policy has no %s: it speaks of whoever holds the access key it is attached to", m.name)
		default:
			err = unknownElement(m, "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
		}
		if err != nil {
			return err
		}
	}
	switch {
	case !effect:
		return faultf(n.line, "%s has no Effect, Allow or Deny", s.name)
	case s.actions == nil:
		return faultf(n.line, "%s has neither Action nor NotAction", s.name)
	case s.resources == nil:
		return faultf(n.line, "%s has neither Resource nor NotResource", s.name)
	}
	return nil
}

func (p *parser) sid(s *statement, m member) error {
	if err := m.mustBe(str); err != nil || m.value.text == "" {
		return err
	}
	for _, c := range []byte(m.value.text) {
		if !isAlphanumeric(c) {
			return faultf(m.value.line, "Sid is %q: only the letters A to Z and digits may be in it", m.value.text)
		}
	}
	if first, ok := p.sids[m.value.text]; ok {
		return faultf(m.value.line, "the Sid %q is taken by the statement in line %d", m.value.text, first)
	}
	p.sids[m.value.text] = s.line
	s.name = m.value.text
	return nil
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

func (s *statement) effect(m member) error {
	if err := m.mustBe(str); err != nil {
		return err
	}
	if m.value.text != "Allow" && m.value.text != "Deny" {
		return faultf(m.value.line, "Effect is %q: it must be Allow or Deny", m.value.text)
	}
	s.deny = m.value.text == "Deny"
	return nil
}

func (p *parser) actions(s *statement, m member) error {
	if s.actions != nil {
		return faultf(m.line, "a statement has one of Action and NotAction, not both")
	}
	s.notAction = m.name == "NotAction"
	return m.each(func(n *node) error {
		if !isAction(n.text) {
			return faultf(n.line, `%s %q must be a service and an operation such as "ivs:GetStage", or "*"`, m.name, n.text)
		}
		t, err := compile(strings.ToLower(n.text), true, false)
		t.source, t.line = n.text, n.line
		s.actions = append(s.actions, t)
		return err
	})
}

// isAction tells whether a text is service:operation, in which wildcards may stand
// for operations but not for letters of the service.
func isAction(s string) bool {
	service, operation, ok := strings.Cut(s, ":")
	if !ok {
		return s == "*"
	}
	if service != "*" {
		for _, c := range []byte(service) {
			if !isAlphanumeric(c) && c != '-' {
				return false
			}
		}
	}
	for _, c := range []byte(operation) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return service != "" && operation != ""
}

func (p *parser) resources(s *statement, m member) error {
	if s.resources != nil {
		return faultf(m.line, "a statement has one of Resource and NotResource, not both")
	}
	s.notResource = m.name == "NotResource"
	return m.each(func(n *node) error {
		t, err := compile(n.text, true, p.variables)
		if err == nil {
			err = t.checkResource()
		}
		if err != nil {
			return faultf(n.line, "%s: %v", m.name, err)
		}
		t.line = n.line
		s.resources = append(s.resources, t)
		return nil
	})
}

// checkResource says why a text can be no pattern of resources. Patterns are
// compared with a whole ARN: with the same five colons on both sides wildcards
// cannot reach over one, and in a pattern with fewer they may, as in AWS.
func (t *text) checkResource() error {
	if isAnything(t.pattern) {
		return nil
	}
	first, _, _ := strings.Cut(t.pattern, ":")
	short := strings.Count(t.pattern, ":") < 5
	if !glob(first, "arn") || short && strings.IndexByte(t.pattern, anyRun) < 0 {
		return fmt.Errorf(`%q is neither an ARN such as "arn:aws:ivs:*:*:stage/*" nor "*"`, t.source)
	}
	if i := strings.IndexByte(t.pattern, variable); i >= 0 && strings.Count(t.pattern[:i], ":") < 5 {
		return fmt.Errorf("%q has a variable before the fifth colon, where none may be", t.source)
	}
	return nil
}

// each takes the strings of an element, one or a list of them.
func (m *member) each(take func(*node) error) error {
	nodes := []*node{m.value}
	if m.value.kind == list {
		nodes = m.value.items
	}
	if len(nodes) == 0 {
		return faultf(m.value.line, "%s is an empty list", m.name)
	}
	for _, n := range nodes {
		if n.kind != str {
			return faultf(n.line, "%s must be a string or a list of strings, not %s", m.name, n.kind)
		}
		if err := take(n); err != nil {
			return err
		}
	}
	return nil
}
