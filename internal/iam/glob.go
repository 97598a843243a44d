package iam

import (
	"strings"
	"unicode/utf8"
)

// Bytes that stand for something in a compiled text. No UTF-8 contains them.
const (
	anyRun   = 0xff // any number of characters
	anyOne   = 0xfe // exactly one character
	variable = 0xfd // the value of the next variable
)

// glob tells whether the whole value fits a pattern, whose wildcards are the bytes
// above.
//
// What stands between two runs is looked for from the left and never again, so
// there is no backtracking: time grows with the length of the value, and only
// pieces that contain a single-character wildcard multiply it, by their own length.
func glob(pattern, value string) bool {
	i := strings.IndexByte(pattern, anyRun)
	if i < 0 {
		n, ok := prefix(pattern, value)
		return ok && n == len(value)
	}
	n, ok := prefix(pattern[:i], value)
	if !ok {
		return false
	}
	for pattern, value = pattern[i+1:], value[n:]; ; pattern, value = pattern[i+1:], value[n:] {
		if i = strings.IndexByte(pattern, anyRun); i < 0 {
			return suffix(pattern, value)
		}
		if n, ok = find(pattern[:i], value); !ok {
			return false
		}
	}
}

// prefix tells whether the value begins with a piece, and how long that beginning is.
func prefix(piece, value string) (n int, ok bool) {
	for i := range len(piece) {
		if n == len(value) {
			return 0, false
		}
		switch {
		case piece[i] == anyOne:
			_, width := utf8.DecodeRuneInString(value[n:])
			n += width
		case piece[i] != value[n]:
			return 0, false
		default:
			n++
		}
	}
	return n, true
}

// suffix tells whether the value ends with a piece.
func suffix(piece, value string) bool {
	for i := len(piece) - 1; i >= 0; i-- {
		if value == "" {
			return false
		}
		width := 1
		switch {
		case piece[i] == anyOne:
			_, width = utf8.DecodeLastRuneInString(value)
		case piece[i] != value[len(value)-1]:
			return false
		}
		value = value[:len(value)-width]
	}
	return true
}

// find gives the end of the first place in the value where a piece fits.
func find(piece, value string) (end int, ok bool) {
	if strings.IndexByte(piece, anyOne) < 0 {
		i := strings.Index(value, piece)
		return i + len(piece), i >= 0
	}
	for start := 0; len(value)-start >= len(piece); {
		if n, ok := prefix(piece, value[start:]); ok {
			return start + n, true
		}
		_, width := utf8.DecodeRuneInString(value[start:])
		start += width
	}
	return 0, false
}

// globARN compares the six parts of an ARN one by one, so that a wildcard does not
// reach over a colon. A pattern of nothing but runs fits everything.
func globARN(pattern, arn string) bool {
	if isAnything(pattern) {
		return true
	}
	for range 5 {
		p, pRest, pMore := strings.Cut(pattern, ":")
		a, aRest, aMore := strings.Cut(arn, ":")
		if !pMore || !aMore || !glob(p, a) {
			return false
		}
		pattern, arn = pRest, aRest
	}
	return glob(pattern, arn)
}

// isAnything tells whether a pattern is made of runs only.
func isAnything(pattern string) bool {
	return pattern != "" && strings.Trim(pattern, string([]byte{anyRun})) == ""
}
