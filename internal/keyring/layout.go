package keyring

import (
	"bytes"
	"encoding/json"
	"strings"
)

// lineDepth is how deep the values lie that have lines of their own: the file, its
// keys, a key, its policies. What is deeper stays in one line, so that a document
// is no longer here than where it came from.
const lineDepth = 4

// encode is json.Marshal that leaves <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// lay breaks compact JSON into lines for people.
func lay(compact []byte) []byte {
	var b bytes.Buffer
	depth, quoted := 0, false
	line := func() { b.WriteString("\n" + strings.Repeat("  ", depth)) }
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		switch {
		case quoted && c == '\\':
			b.WriteByte(c)
			i++
			c = compact[i] // whatever it is, it ends nothing
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '}' || c == ']':
			if depth--; depth < lineDepth && compact[i-1] != '{' && compact[i-1] != '[' {
				line()
			}
		}
		b.WriteByte(c)
		switch {
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth <= lineDepth && compact[i+1] != '}' && compact[i+1] != ']' {
				line()
			}
		case c == ',' && depth <= lineDepth:
			line()
		case c == ':' && depth <= lineDepth:
			b.WriteByte(' ')
		}
	}
	b.WriteByte('\n')
	return b.Bytes()
}
