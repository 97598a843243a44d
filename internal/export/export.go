package export

import (
	"fmt"
	"io"
)

// Format is how a table is written.
type Format string

// The formats.
const (
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
	Parquet Format = "parquet"
)

// Media is the media type of a format.
func (f Format) Media() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8; header=present"
	case JSONL:
		return "application/jsonl"
	}
	return "application/vnd.apache.parquet"
}

// Kind is what is in a column.
type Kind int

// The kinds, with the types of their values. Nil is a value of every kind: none.
const (
	Word  Kind = iota // string: a name, an id, that cannot be taken for anything else
	Text              // string: whatever somebody chose to write
	JSON              // string: a JSON value
	Whole             // int64
	Flag              // bool
	Time              // int64, milliseconds since 1970
)

// Column is one column of a table.
type Column struct {
	Name string
	Kind Kind
}

// Column makes a column of this kind.
func (k Kind) Column(name string) Column { return Column{name, k} }

// Writer writes one table. It is for one goroutine. Nothing can be done after an
// error.
type Writer interface {
	// Write writes one row, with a value for each column. It does not keep row.
	Write(row []any) error
	// Close ends the table; what it was written to stays open.
	Close() error
}

// New begins a table.
func New(w io.Writer, f Format, columns []Column) (Writer, error) {
	switch f {
	case CSV:
		return newCSV(w, columns)
	case JSONL:
		return newJSONL(w, columns), nil
	case Parquet:
		return newParquet(w, columns), nil
	}
	return nil, fmt.Errorf("there is no format %q", f)
}
