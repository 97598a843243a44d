package export

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strconv"
)

// jsonlWriter writes one JSON object in each line (https://jsonlines.org); a member
// that has no value is left out.
type jsonlWriter struct {
	w     *bufio.Writer
	heads [][]byte // the quoted name of each column, with its colon
	kinds []Kind
	line  []byte
	text  bytes.Buffer
	quote *json.Encoder // to text
}

func newJSONL(w io.Writer, columns []Column) *jsonlWriter {
	j := &jsonlWriter{w: bufio.NewWriter(w)}
	j.quote = json.NewEncoder(&j.text)
	j.quote.SetEscapeHTML(false)
	for _, c := range columns {
		j.heads = append(j.heads, append(strconv.AppendQuote(nil, c.Name), ':'))
		j.kinds = append(j.kinds, c.Kind)
	}
	return j
}

func (j *jsonlWriter) Write(row []any) error {
	j.line = append(j.line[:0], '{')
	for i, v := range row {
		if v == nil {
			continue
		}
		if len(j.line) > 1 {
			j.line = append(j.line, ',')
		}
		j.line = append(j.line, j.heads[i]...)
		if err := j.value(j.kinds[i], v); err != nil {
			return err
		}
	}
	j.line = append(j.line, '}', '\n')
	_, err := j.w.Write(j.line)
	return err
}

func (j *jsonlWriter) value(k Kind, v any) error {
	switch k {
	case Word, Text:
		j.text.Reset()
		if err := j.quote.Encode(v); err != nil {
			return err
		}
		j.line = append(j.line, bytes.TrimSuffix(j.text.Bytes(), []byte("\n"))...)
	case JSON:
		j.line = append(j.line, v.(string)...)
	case Whole:
		j.line = strconv.AppendInt(j.line, v.(int64), 10)
	case Flag:
		j.line = strconv.AppendBool(j.line, v.(bool))
	case Time:
		j.line = append(appendTime(append(j.line, '"'), v.(int64)), '"')
	}
	return nil
}

func (j *jsonlWriter) Close() error { return j.w.Flush() }
