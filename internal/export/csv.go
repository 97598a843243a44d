package export

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// csvWriter writes RFC 4180: commas, CRLF, quotes where they are needed, the names
// of the columns first. None is an empty field.
type csvWriter struct {
	*csv.Writer
	columns []Column
	fields  []string
}

func newCSV(w io.Writer, columns []Column) (*csvWriter, error) {
	c := &csvWriter{Writer: csv.NewWriter(w), columns: columns, fields: make([]string, len(columns))}
	c.UseCRLF = true
	for i, col := range columns {
		c.fields[i] = col.Name
	}
	return c, c.Writer.Write(c.fields)
}

func (c *csvWriter) Write(row []any) error {
	for i, v := range row {
		c.fields[i] = field(c.columns[i].Kind, v)
	}
	return c.Writer.Write(c.fields)
}

func (c *csvWriter) Close() error {
	c.Flush()
	return c.Error()
}

func field(k Kind, v any) string {
	if v == nil {
		return ""
	}
	switch k {
	case Text:
		return harmless(v.(string))
	case Whole:
		return strconv.FormatInt(v.(int64), 10)
	case Flag:
		return strconv.FormatBool(v.(bool))
	case Time:
		return string(appendTime(nil, v.(int64)))
	}
	return v.(string)
}

// harmless puts an apostrophe before a text that a spreadsheet would take for a
// formula, and before one that has one there already, so that it can be taken off
// again: https://owasp.org/www-community/attacks/CSV_Injection
func harmless(text string) string {
	if text != "" && strings.IndexByte("=+-@\t\r\n'", text[0]) >= 0 || strings.HasPrefix(text, "＝") ||
		strings.HasPrefix(text, "＋") || strings.HasPrefix(text, "－") || strings.HasPrefix(text, "＠") {
		return "'" + text
	}
	return text
}

// appendTime appends a time in UTC with milliseconds.
func appendTime(b []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
}
