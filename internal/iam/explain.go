package iam

import (
	"fmt"
	"strings"
)

// Finding is what one statement has to say about a request.
type Finding struct {
	Policy    string // the policy's name
	Statement string // its Sid, or "statement 2"
	Line      int    // where the statement begins in the document
	Effect    string // Allow or Deny
	Applies   bool
	Why       string // when it does not apply, the first reason, in plain words
}

// Explain goes through all statements, in order, and says of each why it applies
// to a request or not. It comes to the same end as [Decide].
func Explain(policies []*Policy, r Request) []Finding {
	var findings []Finding
	action := strings.ToLower(r.Action)
	for _, p := range policies {
		for i := range p.statements {
			s := &p.statements[i]
			f := Finding{Policy: p.Name, Statement: s.name, Line: s.line, Effect: "Allow"}
			if s.deny {
				f.Effect = "Deny"
			}
			m := s.check(&r, action)
			f.Applies, f.Why = m.part == nothing, s.reason(m, &r)
			findings = append(findings, f)
		}
	}
	return findings
}

// reason is why a statement does not apply, for people.
func (s *statement) reason(m miss, r *Request) string {
	switch m.part {
	case theAction:
		return except("action", r.Action, s.actions, s.notAction)
	case theResource:
		return except("resource", r.Resource, s.resources, s.notResource)
	case aCondition:
		return fmt.Sprintf("condition %s %s: the request %s, the policy %s", m.condition.name, m.condition.key, m.condition.has(r), m.condition.wants())
	}
	return ""
}

func except(what, value string, patterns []text, not bool) string {
	words := make([]string, len(patterns))
	for i := range patterns {
		words[i] = patterns[i].source
	}
	if not {
		return fmt.Sprintf("%s %s is among the excepted %s", what, value, enumerate(words, "and"))
	}
	return fmt.Sprintf("%s %s is not among %s", what, value, enumerate(words, "and"))
}

// has says what the request brings for the condition.
func (c *condition) has(r *Request) string {
	values := r.values(c.key)
	if len(values) == 0 {
		return "has none"
	}
	return "has " + enumerate(values, "and")
}

// wants says what the policy asks for.
func (c *condition) wants() string {
	if c.operator.presence {
		if strings.EqualFold(c.operands[0].text.source, "true") {
			return "wants none"
		}
		return "wants one"
	}
	words := make([]string, len(c.operands))
	for i := range c.operands {
		words[i] = c.operands[i].text.source
	}
	verb := "wants "
	if c.operator.negated {
		verb = "wants anything but "
	}
	if c.set == allValues && !c.operator.negated {
		verb += "only "
	}
	return verb + enumerate(words, "or")
}

// enumerate writes "a", "a and b", or "a, b and c"; empty texts are shown by quotes,
// and of many only the first.
func enumerate(words []string, last string) string {
	const most = 4
	shown := make([]string, 0, most)
	for _, w := range words[:min(len(words), most)] {
		if w == "" {
			w = `""`
		}
		shown = append(shown, w)
	}
	if more := len(words) - most; more > 0 {
		return fmt.Sprintf("%s %s %d more", strings.Join(shown, ", "), last, more)
	}
	if len(shown) == 1 {
		return shown[0]
	}
	return strings.Join(shown[:len(shown)-1], ", ") + " " + last + " " + shown[len(shown)-1]
}
