package api

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// The functions here take apart JSON that [json.Valid] has approved, so they
// need not look for mistakes. encoding/json itself would match names
// regardless of case, take null for a list item and forget which members were
// present.

// members yields the names and values of a JSON object.
func members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for name, value := range quotedMembers(object) {
			if !yield(unquote(name), value) {
				return
			}
		}
	}
}

// quotedMembers yields the names of a JSON object as they stand there, and the values.
func quotedMembers(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		rest := skipSpace(object[1:])
		for rest[0] != '}' {
			var name, value []byte
			name, rest = cutValue(rest)
			value, rest = cutValue(skipSpace(skipSpace(rest)[1:])) // the colon
			if !yield(name, value) {
				return
			}
			rest = skipComma(rest)
		}
	}
}

// items yields the elements of a JSON array.
func items(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := skipSpace(array[1:])
		for rest[0] != ']' {
			var value []byte
			value, rest = cutValue(rest)
			if !yield(value) {
				return
			}
			rest = skipComma(rest)
		}
	}
}

func skipSpace(b []byte) []byte { return bytes.TrimLeft(b, " \t\r\n") }

func skipComma(b []byte) []byte {
	b = skipSpace(b)
	if b[0] == ',' {
		b = skipSpace(b[1:])
	}
	return b
}

// cutValue cuts the value off with which b begins.
func cutValue(b []byte) (value, rest []byte) {
	n, depth := 0, 0
	for {
		switch b[n] {
		case '"':
			n += stringLen(b[n:])
		case '{', '[':
			depth++
			n++
		case '}', ']':
			depth--
			n++
		case ',', ':', ' ', '\t', '\r', '\n':
			n++ // within an object or array
		default:
			n += len(b[n:]) - len(bytes.TrimLeft(b[n:], "+-.0123456789abcdefghijklmnopqrstuvwxyzE"))
		}
		if depth == 0 {
			return b[:n], b[n:]
		}
	}
}

// stringLen gives the length of the JSON string with which b begins, quotes included.
func stringLen(b []byte) int {
	n := 1
	for b[n] != '"' {
		if b[n] == '\\' {
			n++
		}
		n++
	}
	return n + 1
}

// unquote gives the text of a JSON string. Like encoding/json it puts the
// replacement character for what is not UTF-8.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		panic(err) // it was valid a moment ago
	}
	return text
}
