package iam

import (
	"errors"
	"fmt"
	"strings"
)

// text is a string of a policy, compiled: the wildcards and variables it may have
// are single bytes that no UTF-8 contains, and everything else stands for itself.
type text struct {
	source    string // as the policy has it
	line      int
	pattern   string
	variables []reference // one for each variable byte, in order
}

// reference is a policy variable: ${aws:username} or ${aws:username, 'nobody'}.
type reference struct {
	key         string
	fallback    string
	hasFallback bool
}

// compile reads a string in which * and ? may be wildcards and ${...} may be variables.
func compile(source string, wildcards, variables bool) (text, error) {
	t := text{source: source}
	var b strings.Builder
	for i := 0; i < len(source); i++ {
		switch c := source[i]; {
		case wildcards && c == '*':
			b.WriteByte(anyRun)
		case wildcards && c == '?':
			b.WriteByte(anyOne)
		case variables && strings.HasPrefix(source[i:], "${"):
			n, err := t.reference(source[i:], &b)
			if err != nil {
				return text{}, err
			}
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	t.pattern = b.String()
	return t, nil
}

// reference reads one ${...} at the beginning of s and gives its length.
func (t *text) reference(s string, b *strings.Builder) (int, error) {
	end := closing(s)
	if end < 0 {
		return 0, fmt.Errorf("%q has a ${ without its }; a dollar sign is written ${$}", t.source)
	}
	inner := s[2:end]
	if inner == "*" || inner == "?" || inner == "$" {
		b.WriteString(inner)
		return end + 1, nil
	}
	r, err := parseReference(inner)
	if err != nil {
		return 0, fmt.Errorf("the variable %s %w", s[:end+1], err)
	}
	t.variables = append(t.variables, r)
	b.WriteByte(variable)
	return end + 1, nil
}

// closing is the place of the brace that ends a variable, which is not one
// between quotes.
func closing(s string) int {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == '}' && !quoted:
			return i
		}
	}
	return -1
}

func parseReference(inner string) (reference, error) {
	key, fallback, hasFallback := strings.Cut(inner, ",")
	r := reference{key: canonicalKey(strings.TrimSpace(key)), hasFallback: hasFallback}
	if service, name, _ := strings.Cut(r.key, ":"); service == "" || name == "" || strings.ContainsAny(service, " ${}") {
		return r, errors.New("names no condition key, such as aws:username")
	}
	if !hasFallback {
		return r, nil
	}
	quoted := strings.TrimSpace(fallback)
	if len(quoted) < 2 || quoted[0] != '\'' || quoted[len(quoted)-1] != '\'' {
		return r, errors.New("has a default that is not between single quotes")
	}
	r.fallback = quoted[1 : len(quoted)-1]
	return r, nil
}

// expand puts the values of the request into the variables; wildcards in values
// stand for themselves. A variable without one value and without a default makes
// the text unfit to match anything.
func (t *text) expand(r *Request) (pattern string, ok bool) {
	if len(t.variables) == 0 {
		return t.pattern, true
	}
	var b strings.Builder
	next := 0
	for i := range len(t.pattern) {
		if t.pattern[i] != variable {
			b.WriteByte(t.pattern[i])
			continue
		}
		value, ok := t.variables[next].value(r)
		if !ok {
			return "", false
		}
		b.WriteString(value)
		next++
	}
	return b.String(), true
}

// value is one text in valid UTF-8, so that no byte of it is taken for a wildcard.
func (v *reference) value(r *Request) (string, bool) {
	if values := r.values(v.key); len(values) == 1 {
		return strings.ToValidUTF8(values[0], "\ufffd"), true
	}
	return v.fallback, v.hasFallback
}
