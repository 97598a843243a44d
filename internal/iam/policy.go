package iam

import (
	"slices"
	"strings"
)

// Policy is a parsed identity policy. It does not change, so it may be used by
// many goroutines at once.
type Policy struct {
	// Name is what errors, decisions and doubts call the policy.
	Name string

	document   []byte
	statements []statement
}

// Document is the JSON text that the policy was parsed from.
func (p *Policy) Document() []byte {
	return slices.Clone(p.document)
}

// Statements is how many statements the policy has, at least one.
func (p *Policy) Statements() int { return len(p.statements) }

// statement is one rule: what it is about, and what it says about that.
type statement struct {
	name        string // its Sid, or "statement 2"
	line        int
	deny        bool
	notAction   bool // actions are those it is not about
	actions     []text
	notResource bool // resources are those it is not about
	resources   []text
	conditions  []condition
}

// Request is one thing that somebody wants to do.
type Request struct {
	// Action is a service and an operation: "ivs:GetStage". Case does not matter.
	Action string
	// Resource is the ARN the action is about, or "*" if it is about none.
	Resource string
	// Context gives the values of a condition key, and whether the request has it.
	// It is asked lazily, only for keys that a statement about this action and
	// resource needs. Keys this package knows arrive in the spelling of the AWS
	// documentation, however a policy spells them; what follows aws:RequestTag/
	// and aws:ResourceTag/ is the tag key as the policy has it, to be looked up with
	// [Find]. May be nil.
	Context func(key string) (values []string, known bool)
}

// values asks for a condition key. A key without values is absent.
func (r *Request) values(key string) []string {
	if r.Context == nil {
		return nil
	}
	values, known := r.Context(key)
	if !known {
		return nil
	}
	return values
}

// Decision is the answer to a request. The zero Decision is the denial of what no
// policy speaks of.
type Decision struct {
	Allowed  bool
	Explicit bool // a Deny statement applies
	// Policy is the name of the policy that decided, and Statement the Sid of
	// its statement or "statement 2", counted from 1. Both are empty if nothing applies.
	Policy, Statement string
}

// Reason is why an action was denied, in the words in which AWS ends its sentence
// "User: ... is not authorized to perform: ...". It names no policy: the caller need
// not know them.
func (d Decision) Reason(action string) string {
	if d.Explicit {
		return "with an explicit deny in an identity-based policy"
	}
	return "because no identity-based policy allows the " + action + " action"
}

// Decide answers a request: a Deny that applies wins, else an Allow that applies,
// else it is denied.
func Decide(policies []*Policy, r Request) Decision {
	var d Decision
	action := strings.ToLower(r.Action)
	for _, p := range policies {
		for i := range p.statements {
			s := &p.statements[i]
			if d.Allowed && !s.deny || s.check(&r, action).part != nothing {
				continue
			}
			d = Decision{Allowed: !s.deny, Explicit: s.deny, Policy: p.Name, Statement: s.name}
			if s.deny {
				return d
			}
		}
	}
	return d
}

// part is what of a statement does not fit a request.
type part int

const (
	nothing part = iota
	theAction
	theResource
	aCondition
)

// miss is the first thing of a statement that does not fit a request.
type miss struct {
	part      part
	condition *condition // when it is a condition
}

// check finds the first reason why a statement does not apply. The action is in
// lower case, as those of statements are.
func (s *statement) check(r *Request, action string) miss {
	if anyMatches(s.actions, r, action) == s.notAction {
		return miss{part: theAction}
	}
	if anyMatches(s.resources, r, r.Resource) == s.notResource {
		return miss{part: theResource}
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r) {
			return miss{part: aCondition, condition: &s.conditions[i]}
		}
	}
	return miss{}
}

func anyMatches(patterns []text, r *Request, value string) bool {
	for i := range patterns {
		if pattern, ok := patterns[i].expand(r); ok && glob(pattern, value) {
			return true
		}
	}
	return false
}
