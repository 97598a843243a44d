package iam

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// test compares a value of the request with the text of an operand, in which
// variables have their values. Operators of numbers, dates and the like have read
// their operand before and need no text.
type test func(value, pattern string) bool

// operator is how values are compared.
type operator struct {
	negated   bool // it holds where its compile's test does not
	wildcards bool // operands may have * and ?
	variables bool // operands may have ${...}
	presence  bool // it compares whether the key is absent, not its values
	compile   func(operand text) (test, error)
}

// operators are those of AWS except BinaryEquals: no key here is binary.
var operators = map[string]operator{
	"StringEquals":              {variables: true, compile: always(equal)},
	"StringNotEquals":           {variables: true, compile: always(equal), negated: true},
	"StringEqualsIgnoreCase":    {variables: true, compile: always(strings.EqualFold)},
	"StringNotEqualsIgnoreCase": {variables: true, compile: always(strings.EqualFold), negated: true},
	"StringLike":                {variables: true, wildcards: true, compile: always(like)},
	"StringNotLike":             {variables: true, wildcards: true, compile: always(like), negated: true},

	"ArnEquals":    {variables: true, wildcards: true, compile: arn},
	"ArnLike":      {variables: true, wildcards: true, compile: arn},
	"ArnNotEquals": {variables: true, wildcards: true, compile: arn, negated: true},
	"ArnNotLike":   {variables: true, wildcards: true, compile: arn, negated: true},

	"NumericEquals":            {compile: order(parseNumber, equals)},
	"NumericNotEquals":         {compile: order(parseNumber, equals), negated: true},
	"NumericLessThan":          {compile: order(parseNumber, less)},
	"NumericLessThanEquals":    {compile: order(parseNumber, lessOrEquals)},
	"NumericGreaterThan":       {compile: order(parseNumber, greater)},
	"NumericGreaterThanEquals": {compile: order(parseNumber, greaterOrEquals)},

	"DateEquals":            {compile: order(parseDate, equals)},
	"DateNotEquals":         {compile: order(parseDate, equals), negated: true},
	"DateLessThan":          {compile: order(parseDate, less)},
	"DateLessThanEquals":    {compile: order(parseDate, lessOrEquals)},
	"DateGreaterThan":       {compile: order(parseDate, greater)},
	"DateGreaterThanEquals": {compile: order(parseDate, greaterOrEquals)},

	"Bool":         {compile: truth},
	"Null":         {compile: truth, presence: true},
	"IpAddress":    {compile: network},
	"NotIpAddress": {compile: network, negated: true},
}

func operatorNames() iter.Seq[string] { return maps.Keys(operators) }

// always gives a test that needs no preparation.
func always(t test) func(text) (test, error) {
	return func(text) (test, error) { return t, nil }
}

func equal(value, pattern string) bool { return value == pattern }
func like(value, pattern string) bool  { return glob(pattern, value) }

func arn(operand text) (test, error) {
	if len(operand.variables) == 0 && !isAnything(operand.pattern) {
		first, _, _ := strings.Cut(operand.pattern, ":")
		if !glob(first, "arn") || strings.Count(operand.pattern, ":") < 5 {
			return nil, fmt.Errorf("%q is no ARN, which has six parts with colons between them", operand.source)
		}
	}
	return func(value, pattern string) bool { return globARN(pattern, value) }, nil
}

func equals(c int) bool          { return c == 0 }
func less(c int) bool            { return c < 0 }
func lessOrEquals(c int) bool    { return c <= 0 }
func greater(c int) bool         { return c > 0 }
func greaterOrEquals(c int) bool { return c >= 0 }

// order compares what both sides mean. A value of the request that means nothing
// matches nothing.
func order[T cmp.Ordered](parse func(string) (T, error), holds func(int) bool) func(text) (test, error) {
	return func(operand text) (test, error) {
		want, err := parse(operand.source)
		if err != nil {
			return nil, err
		}
		return func(value, _ string) bool {
			got, err := parse(value)
			return err == nil && holds(cmp.Compare(got, want))
		}, nil
	}
}

// parseNumber reads an integer or a decimal number.
func parseNumber(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.Trim(s, "+-.0123456789eE") != "" { // neither hexadecimal nor infinite
		return 0, fmt.Errorf("%q is no number", s)
	}
	return n, nil
}

// dates are the forms of ISO 8601 that the W3C recommends, and the one of AWS signatures.
var dates = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006", "20060102T150405Z07:00"}

// parseDate reads a date, or seconds since 1970, into seconds since 1970: AWS
// compares whole seconds. Four digits are a year.
func parseDate(s string) (int64, error) {
	for _, layout := range dates {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Unix(), nil
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no date such as 2026-01-31T12:00:00Z, and no number of seconds since 1970", s)
	}
	return n, nil
}

func truth(operand text) (test, error) {
	for _, want := range []string{"true", "false"} {
		if strings.EqualFold(operand.source, want) {
			return func(value, _ string) bool { return strings.EqualFold(value, want) }, nil
		}
	}
	return nil, fmt.Errorf("%q is neither true nor false", operand.source)
}

// network reads an address or a network in CIDR form.
func network(operand text) (test, error) {
	want, err := parsePrefix(operand.source)
	if err != nil {
		return nil, fmt.Errorf("%q is no IP address and no network such as 203.0.113.0/24", operand.source)
	}
	return func(value, _ string) bool {
		got, err := netip.ParseAddr(value)
		return err == nil && want.Contains(got.Unmap().WithZone(""))
	}, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		address, err := netip.ParseAddr(s)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, errors.New("no address")
		}
		address = address.Unmap()
		return address.Prefix(address.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		return a.Unmap().Prefix(p.Bits() - 96)
	}
	return p.Masked(), nil
}
