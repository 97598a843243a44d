package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// decode reads one part of a token. The standard decoder skips line breaks,
// which RFC 7515 (section 2) does not allow.
func decode(text string) ([]byte, error) {
	data, err := segments.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("is not base64url without padding")
	}
	return data, nil
}

func decodeMembers(what, text string) (map[string]json.RawMessage, error) {
	data, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("the %s %w", what, err)
	}
	m, err := members(data)
	if err != nil {
		return nil, fmt.Errorf("the %s %w", what, err)
	}
	return m, nil
}

// members takes a JSON object apart. Names are exact and may not repeat: readers
// disagree on which of two values counts, and that would let a token mean one
// thing to its issuer and another to us (RFC 8725, section 2.4).
func members(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errors.New("is not valid JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("is not a JSON object")
	}
	m := make(map[string]json.RawMessage)
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, errors.New("is not valid JSON")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errors.New("is not valid JSON")
		}
		key := name.(string) // in valid JSON a name is a string
		if _, twice := m[key]; twice {
			return nil, errors.New("has a member twice")
		}
		m[key] = value
	}
	return m, nil
}

type presence bool

const (
	required presence = true
	optional presence = false
)

// reader reads members by name and type and keeps the first complaint.
type reader struct {
	members map[string]json.RawMessage
	what    string // "claim" or "header"
	err     error
}

func (r *reader) fail(name, problem string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s %q %s", r.what, name, problem)
	}
}

// take gives a member. An optional one may as well be null, as many libraries
// write what is not there.
func (r *reader) take(name string, p presence) (json.RawMessage, bool) {
	value, ok := r.members[name]
	if p == optional && string(value) == "null" {
		return nil, false
	}
	if !ok && p == required {
		r.fail(name, "is missing")
	}
	return value, ok
}

func (r *reader) text(name string, p presence) string {
	value, ok := r.take(name, p)
	if !ok {
		return ""
	}
	s, ok := text(value)
	if !ok {
		r.fail(name, "must be a string")
	}
	return s
}

// seconds reads a NumericDate (RFC 7519, section 2), whole numbers only.
func (r *reader) seconds(name string) time.Time {
	value, ok := r.take(name, required)
	if !ok {
		return time.Time{}
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		r.fail(name, "must be a whole number of seconds since 1970")
	}
	return time.Unix(n, 0).UTC()
}

func (r *reader) object(name string, p presence) map[string]json.RawMessage {
	value, ok := r.take(name, p)
	if !ok {
		return nil
	}
	m, err := members(value)
	if err != nil {
		r.fail(name, err.Error())
	}
	return m
}

// texts reads an optional object of strings; nil when absent or empty.
func (r *reader) texts(name string) map[string]string {
	m := r.object(name, optional)
	if len(m) == 0 {
		return nil
	}
	all := make(map[string]string, len(m))
	for key, value := range m {
		s, ok := text(value)
		if !ok {
			r.fail(name, "must have strings as values")
			return nil
		}
		all[key] = s
	}
	return all
}

func (r *reader) capabilities(name string) (publish, subscribe bool) {
	caps := reader{members: r.object(name, required)}
	publish, subscribe = caps.boolean("allow_publish"), caps.boolean("allow_subscribe")
	if caps.err != nil {
		r.fail(name, "must have true or false as allow_publish and allow_subscribe")
	}
	return publish, subscribe
}

func (r *reader) boolean(name string) bool {
	value, ok := r.take(name, optional)
	if ok && string(value) != "true" && string(value) != "false" {
		r.fail(name, "must be true or false")
	}
	return string(value) == "true"
}

// text reads a JSON string; anything else, null included, is not one.
func text(value json.RawMessage) (string, bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err == nil
}
