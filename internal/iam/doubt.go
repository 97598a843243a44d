package iam

import (
	"fmt"
	"slices"
	"strings"
)

// Doubts are what is sound in the policy but can have no effect on this server:
// misspelt actions, condition keys no request has, types of resources that do not
// exist. Each is a sentence that names policy and line. Statements about other
// services are in no doubt; they just never apply.
func (p *Policy) Doubts() []string {
	var all []string
	for i := range p.statements {
		s := &p.statements[i]
		if !slices.ContainsFunc(s.actions, isOurs) && !s.notAction {
			continue
		}
		for _, reason := range s.doubts() {
			all = append(all, fmt.Sprintf("policy %s, line %d: in %s %s", p.Name, s.line, s.name, reason))
		}
	}
	return all
}

// isOurs tells whether a pattern of actions speaks of this service at all.
func isOurs(action text) bool {
	service, _, _ := strings.Cut(strings.ToLower(action.source), ":")
	return service == "*" || service == "ivs" || service == "callboard"
}

func (s *statement) doubts() []string {
	var all []string
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
			all = append(all, fmt.Sprintf("%s asks for %s, which no request has%s", c.name, c.key, didYouMean(c.key, contextKeys, "")))
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

func (t *text) doubtAction() []string {
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
	return []string{fmt.Sprintf("the action %s is none of this server%s", t.source, hint)}
}

func (t *text) doubtResource() []string {
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
	return []string{fmt.Sprintf("%s is no resource of this server%s", t.source, didYouMean(kind, resourceTypes, ""))}
}

func (t *text) doubtVariables() []string {
	var all []string
	for _, v := range t.variables {
		if !isProvided(v.key) && !v.hasFallback {
			all = append(all, fmt.Sprintf("%s has a variable that no request fills, so it matches nothing%s", t.source, didYouMean(v.key, contextKeys, "")))
		}
	}
	return all
}
