package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// readByOther has hyparquet, which shares nothing with what wrote the file, read
// it in node; whole numbers come as text.
const readByOther = `
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
const rows = await parquetReadObjects({ file: await asyncBufferFromFile(process.argv[2]), compressors })
const plain = (_, v) => typeof v === 'bigint' ? String(v) : v
process.stdout.write(JSON.stringify(rows, plain))`

func TestParquetIsReadAlikeByAnotherProgram(t *testing.T) {
	t.Parallel()
	modules, err := filepath.Abs("../../e2e/js/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "node")
	}
	if _, err := os.Stat(filepath.Join(modules, "hyparquet")); err != nil {
		missing(t, "hyparquet, which ./scripts/test installs")
	}
	const n = groupRows + 5
	all := append([][]any{}, rows...)
	for i := len(rows); i < n; i++ {
		all = append(all, []any{fmt.Sprint("p", i), "zoë\x00😀", `{"a":"b"}`, int64(i), i%2 == 0, int64(1_770_000_000_123 + i)})
	}
	dir := t.TempDir()
	file, script := filepath.Join(dir, "a.parquet"), filepath.Join(dir, "read.mjs")
	for _, err := range []error{
		os.WriteFile(file, []byte(written(t, Parquet, all)), 0o600), os.WriteFile(script, []byte(readByOther), 0o600),
		os.Symlink(modules, filepath.Join(dir, "node_modules")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", script, file)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.Bytes())
	}
	var got []map[string]any
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(all) {
		t.Fatalf("%d rows are read of %d: %v", len(got), len(all), err)
	}
	for i, row := range all {
		if want := asOther(t, row); !reflect.DeepEqual(got[i], want) {
			t.Fatalf("row %d is read as %v, want %v", i, got[i], want)
		}
	}
}

// asOther is a row as the script writes it.
func asOther(t *testing.T, row []any) map[string]any {
	t.Helper()
	want := map[string]any{}
	for i, c := range columns {
		want[c.Name] = row[i]
		switch v := row[i].(type) {
		case int64:
			want[c.Name] = fmt.Sprint(v)
			if c.Kind == Time {
				want[c.Name] = time.UnixMilli(v).UTC().Format("2006-01-02T15:04:05.000Z")
			}
		case string:
			if c.Kind == JSON {
				var value any
				if err := json.Unmarshal([]byte(v), &value); err != nil {
					t.Fatal(err)
				}
				want[c.Name] = value
			}
		}
	}
	return want
}

// missing skips a test that lacks something, where that is allowed.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CALLBOARD_E2E") == "all" {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}
