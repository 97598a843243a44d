package sigv4

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// param is one parameter of the query, both halves in canonical escapes.
type param struct{ name, value string }

// parseQuery reads a query into its canonical form: each half unescaped and
// escaped again, sorted by name and then value. A query that Go's parser would
// read differently (a semicolon, a broken escape) is refused, so that what was
// signed is also what is understood.
func parseQuery(raw string) ([]param, error) {
	n := strings.Count(raw, "&") + 1
	if n > maxQueryParams {
		return nil, incomplete("The query string has too many parameters.")
	}
	query := make([]param, 0, n)
	for more := true; more; {
		var pair string
		pair, raw, more = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, ok1 := canonicalEscapes(name)
		value, ok2 := canonicalEscapes(value)
		if !ok1 || !ok2 {
			return nil, incomplete("The query string is not properly escaped.")
		}
		query = append(query, param{name, value})
	}
	slices.SortFunc(query, func(a, b param) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	return query, nil
}

// valueOf is the value of the only parameter of that name, which must need no
// escapes; "" if there are none or several.
func valueOf(query []param, name string) string {
	var found string
	var n int
	for _, p := range query {
		if p.name == name {
			n++
			found = p.value
		}
	}
	if n != 1 {
		return ""
	}
	value, _ := url.PathUnescape(found) // our own escapes cannot be broken
	return value
}

func without(query []param, name string) []param {
	return slices.DeleteFunc(query, func(p param) bool { return p.name == name })
}

// canonicalEscapes gives s with just those bytes escaped that must be.
func canonicalEscapes(s string) (string, bool) {
	plain := true
	for i := range len(s) {
		if s[i] == ';' {
			return "", false
		}
		plain = plain && unreserved[s[i]]
	}
	if plain {
		return s, true
	}
	text, err := url.QueryUnescape(s)
	if err != nil {
		return "", false
	}
	return string(appendEscaped(make([]byte, 0, len(s)+8), text, false)), true
}

// unreserved tells the characters that stay as they are (RFC 3986, section 2.3).
var unreserved = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~") {
		is[c] = true
	}
	return is
}()

func appendEscaped(buf []byte, s string, keepSlash bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if unreserved[c] || c == '/' && keepSlash {
			buf = append(buf, c)
		} else {
			buf = append(buf, '%', hex[c>>4], hex[c&15])
		}
	}
	return buf
}
