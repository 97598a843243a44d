package store

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// pgArguments gives arguments in PostgreSQL's text form, in which the server
// finds out their types itself.
func pgArguments(args []any) [][]byte {
	values := make([][]byte, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case int64:
			values[i] = strconv.AppendInt(nil, v, 10)
		case string:
			values[i] = []byte(pgText(v))
		case bool:
			values[i] = []byte{'0'}
			if v {
				values[i][0] = '1'
			}
		case time.Time:
			values[i] = strconv.AppendInt(nil, millis(v), 10)
		case []byte:
			values[i] = hex.AppendEncode([]byte(`\x`), v)
		default:
			panic("store: an argument of a type that has no column")
		}
	}
	return values
}

// pgRow is a row of PostgreSQL, in text form.
type pgRow [][]byte

func (r pgRow) int(col int) int64 {
	n, _ := strconv.ParseInt(string(r[col]), 10, 64)
	return n
}

func (r pgRow) bool(col int) bool      { return r.int(col) != 0 }
func (r pgRow) text(col int) string    { return pgRead(string(r[col])) }
func (r pgRow) time(col int) time.Time { return fromMillis(r.int(col)) }

func (r pgRow) bytes(col int) []byte {
	if text, ok := strings.CutPrefix(string(r[col]), `\x`); ok {
		if b, err := hex.DecodeString(text); err == nil {
			return b
		}
	}
	return []byte(pgRead(string(r[col])))
}

// PostgreSQL takes text that is UTF-8 without a zero. Other bytes, which
// strangers may call themselves, are stored as a mark and two digits, and so is
// the mark, a character that means nothing to anybody.
const pgMark = "\ue0cb"

func pgText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && !strings.Contains(s, pgMark) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == 0 || r == utf8.RuneError && n == 1 || s[:n] == pgMark {
			for _, c := range []byte(s[:n]) {
				b.WriteString(pgMark)
				b.WriteString(hex.EncodeToString([]byte{c}))
			}
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// pgRead reads what pgText wrote.
func pgRead(s string) string {
	before, rest, found := strings.Cut(s, pgMark)
	if !found {
		return s
	}
	b := []byte(before)
	for found {
		code := rest[:min(2, len(rest))]
		if c, err := hex.DecodeString(code); err == nil {
			b = append(b, c...)
		}
		rest = rest[len(code):]
		before, rest, found = strings.Cut(rest, pgMark)
		b = append(b, before...)
	}
	return string(b)
}
