package iam

import (
	"slices"
	"strings"
)

// condition is one key under one operator.
type condition struct {
	line     int
	name     string // the operator as the policy has it
	key      string
	operator operator
	set      set
	ifExists bool
	operands []operand
}

// set is how several values of the request are taken together.
type set string

const (
	single    set = "" // as one; any of them may match
	allValues set = "ForAllValues:"
	anyValue  set = "ForAnyValue:"
)

// operand is one value that a policy compares with.
type operand struct {
	text text
	test test
}

// holds tells whether the request meets the condition.
func (c *condition) holds(r *Request) bool {
	values := r.values(c.key)
	switch {
	case c.operator.presence:
		return c.matches(r, presence(values))
	case len(values) == 0:
		return c.ifExists || c.set == allValues || c.operator.negated && c.set != anyValue
	case c.set == allValues:
		for _, v := range values {
			if c.matches(r, v) == c.operator.negated {
				return false
			}
		}
		return true
	case c.set == anyValue:
		for _, v := range values {
			if c.matches(r, v) != c.operator.negated {
				return true
			}
		}
		return false
	}
	for _, v := range values {
		if c.matches(r, v) {
			return !c.operator.negated
		}
	}
	return c.operator.negated
}

// presence is what Null compares with: true if the key is absent.
func presence(values []string) string {
	if len(values) == 0 {
		return "true"
	}
	return "false"
}

// matches tells whether a value fits at least one operand.
func (c *condition) matches(r *Request, value string) bool {
	for i := range c.operands {
		if pattern, ok := c.operands[i].text.expand(r); ok && c.operands[i].test(value, pattern) {
			return true
		}
	}
	return false
}

// conditions reads the Condition element.
func (p *parser) conditions(m member) ([]condition, error) {
	if err := m.mustBe(object); err != nil {
		return nil, err
	}
	var all []condition
	for _, m := range m.value.members {
		c, err := parseOperator(m)
		if err != nil {
			return nil, err
		}
		if err := m.mustBe(object); err != nil {
			return nil, err
		}
		for _, m := range m.value.members {
			c := c
			if err := p.comparison(&c, m); err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// parseOperator reads the name of an operator with what stands before and after it.
func parseOperator(m member) (condition, error) {
	c := condition{name: m.name}
	name := m.name
	for _, s := range []set{allValues, anyValue} {
		if rest, ok := strings.CutPrefix(name, string(s)); ok {
			name, c.set = rest, s
			break // an operator has one of them
		}
	}
	var ok bool
	if c.operator, ok = operators[name]; !ok {
		name, c.ifExists = strings.CutSuffix(name, "IfExists")
		c.operator, ok = operators[name]
	}
	if !ok {
		hint := ""
		if word := nearest(name, operatorNames()); word != "" {
			hint = "; did you mean " + word + "?"
		}
		return c, faultf(m.line, "there is no condition operator %q%s", m.name, hint)
	}
	if c.operator.presence && m.name != name {
		return c, faultf(m.line, "%q makes no sense: Null alone asks whether a key is there", m.name)
	}
	return c, nil
}

// comparison reads a key and the values it is compared with.
func (p *parser) comparison(c *condition, m member) error {
	c.line, c.key = m.line, canonicalKey(m.name)
	if service, name, _ := strings.Cut(m.name, ":"); service == "" || name == "" {
		return faultf(m.line, `%q is no condition key such as "aws:SourceIp"`, m.name)
	}
	nodes := []*node{m.value}
	if m.value.kind == list {
		nodes = m.value.items
	}
	if len(nodes) == 0 {
		return faultf(m.value.line, "%s compares %s with an empty list", c.name, m.name)
	}
	for _, n := range nodes {
		if !slices.Contains([]kind{str, number, boolean}, n.kind) {
			return faultf(n.line, "%s compares %s with a string, a number, true or false, or with a list of them, not with %s", c.name, m.name, n.kind)
		}
		o, err := p.operand(c.operator, n.text)
		if err != nil {
			return faultf(n.line, "%s %s: %v", c.name, m.name, err)
		}
		o.text.line = n.line
		c.operands = append(c.operands, o)
	}
	return nil
}

func (p *parser) operand(op operator, source string) (operand, error) {
	t, err := compile(source, op.wildcards, op.variables && p.variables)
	if err != nil {
		return operand{}, err
	}
	test, err := op.compile(t)
	return operand{t, test}, err
}
