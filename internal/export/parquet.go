package export

import (
	"fmt"
	"io"
	"reflect"

	"github.com/parquet-go/parquet-go"
)

const (
	// groupRows is how many rows are in a group, thus about how many are in memory:
	// a group is written when it is complete.
	groupRows = 20_000
	batchRows = 200
)

// parquetWriter writes Parquet: every column may have no value; texts are strings,
// JSON is JSON, times are timestamps in milliseconds, UTC.
type parquetWriter struct {
	w     *parquet.GenericWriter[any]
	rows  []parquet.Row
	count int // of rows that are in use
}

func newParquet(w io.Writer, columns []Column) *parquetWriter {
	p := &parquetWriter{rows: make([]parquet.Row, batchRows)}
	p.w = parquet.NewGenericWriter[any](w, parquet.SchemaOf(reflect.New(rowType(columns)).Interface()),
		parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(groupRows), parquet.CreatedBy("callboard", "1", ""))
	for i := range p.rows {
		p.rows[i] = make(parquet.Row, len(columns))
	}
	return p
}

// rowType is the struct that the library reads a schema from: the one way to tell it
// columns that have an order.
func rowType(columns []Column) reflect.Type {
	var fields []reflect.StructField
	for i, c := range columns {
		f := reflect.StructField{Name: fmt.Sprint("C", i), Type: reflect.TypeFor[string]()}
		note := ",optional"
		switch c.Kind {
		case JSON:
			note += ",json"
		case Whole:
			f.Type = reflect.TypeFor[int64]()
		case Flag:
			f.Type = reflect.TypeFor[bool]()
		case Time:
			f.Type, note = reflect.TypeFor[int64](), note+",timestamp(millisecond)"
		}
		f.Tag = reflect.StructTag(fmt.Sprintf(`parquet:"%s%s"`, c.Name, note))
		fields = append(fields, f)
	}
	return reflect.StructOf(fields)
}

func (p *parquetWriter) Write(row []any) error {
	for i, v := range row {
		level := 1
		if v == nil {
			level = 0
		}
		p.rows[p.count][i] = parquet.ValueOf(v).Level(0, level, i)
	}
	if p.count++; p.count < batchRows {
		return nil
	}
	return p.flush()
}

func (p *parquetWriter) flush() error {
	_, err := p.w.WriteRows(p.rows[:p.count])
	p.count = 0
	return err
}

func (p *parquetWriter) Close() error {
	if err := p.flush(); err != nil {
		return err
	}
	return p.w.Close()
}
