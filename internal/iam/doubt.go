package iam

import (
	"fmt"
	"slices"
	"strings"
)

// doubt is one thing that can have no effect.
type doubt struct {
	line   int
	reason string
}

// Doubts are what is sound in the policy but can have no effect on this server:
// misspelt actions, condition keys no request has, types of resources that do not
// exist. Each is a sentence that names policy, line and statement. Statements about
// other services are in no doubt; they just never apply.
func (p *Policy) Doubts() []string {
	var all []string
	for i := range p.statements {
		s := &p.statements[i]
		if !slices.ContainsFunc(s.actions, isOurs) && !s.notAction {
			continue
		}
		for _, d := range s.doubts() {
			all = append(all, fmt.Sprintf("policy %s, line %d (%s): %s", p.Name, d.line, s.name, d.reason))
		}
	}
	return all
}

// Doubts are why this server will hardly ever get such a request: an action or a
// type of resource that it does not have.
func (r Request) Doubts() []string {
	action := text{source: r.Action, pattern: strings.ToLower(r.Action)}
	resource := text{source: r.Resource, pattern: r.Resource}
	var reasons []string
	for _, d := range append(action.doubtAction(), resource.doubtResource()...) {
		reasons = append(reasons, d.reason)
	}
	return reasons
}

// isOurs tells whether a pattern of actions speaks of this service at all.
func isOurs(action text) bool {
	service, _, _ := strings.Cut(strings.ToLower(action.source), ":")
	return service == "*" || service == "ivs" || service == "callboard"
}

func (s *statement) doubts() []doubt {
	var all []doubt
	for i := range s.actions {
		all = append(all, s.actions[i].doubtAction()...)
	}
	for i := range s.resources {
		all = append(all, s.resources[i].doubtResource()...)
		all = append(all, s.resources[i].doubtVariables()...)
	}
	for i := range s.conditions {
		c := &s.conditions[i]
		if !isProvided(c.key) {
			all = append(all, doubt{c.line, fmt.Sprintf("%s asks for %s, which no request has%s", c.name, c.key, didYouMean(c.key, contextKeys, ""))})
		}
		for i := range c.operands {
			all = append(all, c.operands[i].text.doubtVariables()...)
		}
	}
	return all
}

func didYouMean(word string, words []string, prefix string) string {
	if near := nearest(word, slices.Values(words)); near != "" {
		return "; did you mean " + prefix + near + "?"
	}
	return ""
}

func (t *text) doubtAction() []doubt {
	service, name, _ := strings.Cut(t.source, ":")
	if !strings.EqualFold(service, "ivs") {
		return nil
	}
	for _, o := range operations {
		if glob(t.pattern, "ivs:"+strings.ToLower(o)) {
			return nil
		}
	}
	hint := ""
	if !strings.ContainsAny(name, "*?") {
		hint = didYouMean(name, operations, "ivs:")
	}
	return []doubt{{t.line, fmt.Sprintf("no action of this server matches %s%s", t.source, hint)}}
}

func (t *text) doubtResource() []doubt {
	parts := strings.SplitN(t.pattern, ":", 6)
	if len(parts) < 6 || parts[2] != "ivs" {
		return nil
	}
	kind, _, hasID := strings.Cut(parts[5], "/")
	if strings.IndexByte(kind, variable) >= 0 {
		return nil
	}
	for _, known := range resourceTypes {
		if hasID && glob(kind, known) || !hasID && strings.IndexByte(kind, anyRun) >= 0 {
			return nil
		}
	}
	kind, _, _ = strings.Cut(t.source[strings.LastIndex(t.source, ":")+1:], "/")
	return []doubt{{t.line, fmt.Sprintf("no resource of this server matches %s%s", t.source, didYouMean(kind, resourceTypes, ""))}}
}

func (t *text) doubtVariables() []doubt {
	var all []doubt
	for _, v := range t.variables {
		if !isProvided(v.key) && !v.hasFallback {
			all = append(all, doubt{t.line, fmt.Sprintf("%s has a variable that no request fills, so it matches nothing%s", t.source, didYouMean(v.key, contextKeys, ""))})
		}
	}
	return all
}
