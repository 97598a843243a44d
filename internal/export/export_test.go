package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

var columns = []Column{{"id", Word}, {"userId", Text}, {"attributes", JSON}, {"joins", Whole}, {"open", Flag}, {"at", Time}}

var rows = [][]any{
	{"p1", "ann", `{"a":"b"}`, int64(3), true, int64(1_770_000_000_123)},
	{"-p2", "=cmd|' /C calc'!A0", nil, int64(-1), false, nil},
	{"p3", "two\r\nlines, \"quoted\" <é>", `{}`, nil, nil, int64(0)},
	{"p4", "'apostrophe", `{}`, int64(0), false, int64(1)},
}

func written(t *testing.T, f Format, rows [][]any) string {
	t.Helper()
	var b bytes.Buffer
	w, err := New(&b, f, columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCSVIsReadBackAndNoTextIsAFormula(t *testing.T) {
	t.Parallel()
	text := written(t, CSV, rows)
	if !strings.HasPrefix(text, "id,userId,attributes,joins,open,at\r\np1,ann,\"{\"\"a\"\":\"\"b\"\"}\",3,true,2026-02-02T02:40:00.123Z\r\n") {
		t.Errorf("the text begins %.200q", text)
	}
	got, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(got) != len(rows)+1 {
		t.Fatalf("read back %d rows, %v", len(got), err)
	}
	if got[2][0] != "-p2" || got[2][1] != "'=cmd|' /C calc'!A0" || got[2][5] != "" || got[3][1] != "two\nlines, \"quoted\" <é>" || got[4][1] != "''apostrophe" {
		t.Errorf("read back %q", got)
	}
	for _, text := range []string{"=1", "+1", "-1", "@a", "\ta", "\ra", "＝1"} {
		if got := harmless(text); got != "'"+text {
			t.Errorf("%q is written %q", text, got)
		}
	}
}

func TestJSONLinesHoldTheValuesAsTheyAre(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSuffix(written(t, JSONL, rows), "\n"), "\n")
	if len(lines) != len(rows) || lines[0] != `{"id":"p1","userId":"ann","attributes":{"a":"b"},"joins":3,"open":true,"at":"2026-02-02T02:40:00.123Z"}` {
		t.Fatalf("%d lines, the first is %s", len(lines), lines[0])
	}
	for i, line := range lines {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil || got["userId"] != rows[i][1] {
			t.Errorf("%s is read as %v, %v", line, got, err)
		}
		for k, c := range columns {
			if _, there := got[c.Name]; there != (rows[i][k] != nil) {
				t.Errorf("%s: %s is there: %v", line, c.Name, there)
			}
		}
	}
}

func TestParquetHoldsTheColumnsInTheirOrderAndTheValuesAsTheyAre(t *testing.T) {
	t.Parallel()
	text := written(t, Parquet, rows)
	file, err := parquet.OpenFile(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range file.Schema().Fields() {
		if f.Name() != columns[i].Name || !f.Optional() {
			t.Errorf("column %d is %v", i, f)
		}
	}
	if at := file.Schema().Fields()[5].Type().LogicalType(); at == nil || !strings.Contains(at.String(), "TIMESTAMP") {
		t.Errorf("the time is %v", at)
	}
	got := readParquet(t, file)
	if !reflect.DeepEqual(got, rows) {
		t.Errorf("read back\n%v, want\n%v", got, rows)
	}
}

// readParquet reads all rows of a file as they were written.
func readParquet(t *testing.T, file *parquet.File) (all [][]any) {
	t.Helper()
	for _, group := range file.RowGroups() {
		from, buffer := group.Rows(), make([]parquet.Row, 7)
		defer from.Close()
		for {
			n, err := from.ReadRows(buffer)
			for _, row := range buffer[:n] {
				var values []any
				for i, v := range row {
					values = append(values, plain(columns[i].Kind, v))
				}
				all = append(all, values)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

func plain(k Kind, v parquet.Value) any {
	switch {
	case v.IsNull():
		return nil
	case k == Whole || k == Time:
		return v.Int64()
	case k == Flag:
		return v.Boolean()
	}
	return string(v.ByteArray())
}

func TestManyRowsAreWrittenInGroups(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w, err := New(&b, Parquet, columns)
	if err != nil {
		t.Fatal(err)
	}
	const n, half = 2*groupRows + 7, groupRows + 2000
	for i := range n {
		if err := w.Write([]any{fmt.Sprint(i), "u", "{}", int64(i), i%2 == 0, time.Now().UnixMilli()}); err != nil {
			t.Fatal(err)
		}
		if i == half && b.Len() == 0 {
			t.Error("nothing was written when the first group was complete")
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil || file.NumRows() != n || len(file.RowGroups()) != 3 {
		t.Fatalf("%v, %v", file, err)
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := New(io.Discard, "xlsx", columns); err == nil {
		t.Error("xlsx is written")
	}
}
