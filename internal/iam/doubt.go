package iam

import (
	"cmp"
	"fmt"
	"iter"
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
	for i := range s.resources {
		all = append(all, s.resources[i].doubtResource()...)
		all = append(all, s.resources[i].doubtVariables()...)
	}
	met := len(all) == 0 && !s.notAction && !s.notResource
	for i := range s.actions {
		all = append(all, s.actions[i].doubtAction()...)
		if met {
			all = append(all, s.doubtMeeting(&s.actions[i])...)
		}
	}
	for i := range s.conditions {
		c := &s.conditions[i]
		if !isProvided(c.key) {
			all = append(all, doubt{c.line, fmt.Sprintf("%s asks for %s, which no request has%s", c.name, c.key, meantKey(c.key))})
		}
		for i := range c.operands {
			all = append(all, c.operands[i].text.doubtVariables()...)
		}
	}
	slices.SortStableFunc(all, func(a, b doubt) int { return cmp.Compare(a.line, b.line) })
	return all
}

func didYouMean(word string, words iter.Seq[string], prefix string) string {
	if near := nearest(word, words); near != "" {
		return "; did you mean " + prefix + near + "?"
	}
	return ""
}

// meantKey guesses which condition key a wrong one was meant to be.
func meantKey(key string) string {
	if begin, tag, ok := strings.Cut(key, "/"); ok {
		if near := nearest(begin+"/", slices.Values(tagKeys)); near != "" {
			return "; did you mean " + near + tag + "?"
		}
		return ""
	}
	return didYouMean(key, slices.Values(contextKeys), "")
}

// operationNames are the operations of a service, none if it is of no concern here.
func operationNames(service string) []string {
	var names []string
	for _, s := range services {
		if s.name == service {
			for _, o := range s.operations {
				names = append(names, o.name)
			}
		}
	}
	return names
}

func (t *text) doubtAction() []doubt {
	service, name, _ := strings.Cut(t.source, ":")
	service = strings.ToLower(service)
	names := operationNames(service)
	if names == nil || len(t.operations()) > 0 {
		return nil
	}
	hint := ""
	if !strings.ContainsAny(name, "*?") {
		hint = didYouMean(name, slices.Values(names), service+":")
	}
	return []doubt{{t.line, fmt.Sprintf("no action of this server matches %s%s", t.source, hint)}}
}

// operations are those that a pattern of actions matches.
func (t *text) operations() []operation {
	var all []operation
	for _, service := range services {
		for _, o := range service.operations {
			if glob(t.pattern, service.name+":"+strings.ToLower(o.name)) {
				all = append(all, o)
			}
		}
	}
	return all
}

// doubtMeeting looks for actions that are never asked about any of the resources,
// such as a list of all public keys, for which a policy needs "*".
func (s *statement) doubtMeeting(action *text) []doubt {
	matched := action.operations()
	for _, o := range matched {
		for _, kind := range o.about {
			for i := range s.resources {
				if s.resources[i].covers(kind) {
					return nil
				}
			}
		}
	}
	if len(matched) == 0 {
		return nil
	}
	needs := `"*"`
	if kind := matched[0].about[0]; kind != "" {
		needs = "a Resource such as arn:aws:ivs:*:*:" + kind + "/*"
	}
	return []doubt{{action.line, fmt.Sprintf("%s is about none of the resources here; it needs %s", action.source, needs)}}
}

// covers tells whether a pattern of resources may match some resource of a type,
// or "*" if the type is "".
func (t *text) covers(kind string) bool {
	if kind == "" {
		return glob(t.pattern, "*")
	}
	parts := strings.SplitN(t.pattern, ":", 6)
	if len(parts) < 6 {
		return len(parts) < 3 || glob(parts[2], "ivs") // its last run reaches over what is missing
	}
	name, _, hasID := strings.Cut(parts[5], "/")
	return glob(parts[2], "ivs") && (strings.IndexByte(name, variable) >= 0 ||
		hasID && glob(name, kind) || !hasID && strings.IndexByte(name, anyRun) >= 0)
}

func (t *text) doubtResource() []doubt {
	parts := strings.SplitN(t.source, ":", 6)
	if len(parts) < 6 || parts[2] != "ivs" || slices.ContainsFunc(resourceTypes, t.covers) {
		return nil
	}
	kind, _, _ := strings.Cut(parts[5], "/")
	return []doubt{{t.line, fmt.Sprintf("no resource of this server matches %s%s", t.source, didYouMean(kind, slices.Values(resourceTypes), ""))}}
}

func (t *text) doubtVariables() []doubt {
	var all []doubt
	for _, v := range t.variables {
		if !isProvided(v.key) && !v.hasFallback {
			all = append(all, doubt{t.line, fmt.Sprintf("%s has a variable that no request fills, so it matches nothing%s", t.source, meantKey(v.key))})
		}
	}
	return all
}
