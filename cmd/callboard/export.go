package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

func exportCommand() *cobra.Command {
	q := new(inquiry)
	var what, format, output string
	cmd := q.asks(&cobra.Command{
		Use:   "export STAGE",
		Short: "Export a session as CSV, JSON Lines or Parquet",
		Long: `Export writes a table of a session: its participants, their attendance (a row for each
stretch of time in which somebody was connected, publishing or subscribed), or its
events. It is as of one moment, however long it takes. STAGE is an ARN, or the name of one
of your stages.`,
		Example: `  callboard export rehearsal > participants.csv
  callboard export rehearsal --what attendance --format parquet --output attendance.parquet
  callboard export rehearsal --what events --format jsonl | jq .name`,
	}, false)
	flags := cmd.Flags()
	flags.StringVar(&what, "what", "participants", "participants, attendance or events")
	flags.StringVar(&format, "format", "", "csv, jsonl or parquet (default: as the name of --output ends, else csv)")
	flags.StringVarP(&output, "output", "o", "-", "file to write; - is the standard output")
	q.aws.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if format == "" {
			format = formatOf(output)
		}
		client, path, err := q.open(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		resp, err := client.send(cmd.Context(), http.MethodGet, path+"/export", url.Values{"what": {what}, "format": {format}}, nil, nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return saveExport(cmd.Context(), resp, output, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

func formatOf(name string) string {
	switch filepath.Ext(name) {
	case ".jsonl", ".ndjson":
		return "jsonl"
	case ".parquet":
		return "parquet"
	}
	return "csv"
}

// saveExport writes an export to a file or the standard output, and tells on stderr
// how far it is. A file that is not whole is not left behind.
func saveExport(ctx context.Context, resp *http.Response, name string, stdout, stderr io.Writer) (err error) {
	to := stdout
	if name != "-" {
		file, err := os.CreateTemp(filepath.Dir(name), ".callboard-export-*")
		if err != nil {
			return err
		}
		defer os.Remove(file.Name())
		defer file.Close()
		to = file
	}
	m := &meter{to: to, stderr: stderr, began: time.Now()}
	if _, err = io.Copy(m, resp.Body); err == nil && resp.Trailer.Get("Callboard-Rows") == "" {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && ctx.Err() == nil {
		return errors.New("the export broke off and is not complete: " + err.Error())
	}
	if err != nil {
		return err
	}
	if file, ok := to.(*os.File); ok && name != "-" {
		if err := errors.Join(file.Chmod(0o644), file.Close(), os.Rename(file.Name(), name)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(stderr, "%s%s rows of %s participants, %s, as of event %s\n", m.clear(), resp.Trailer.Get("Callboard-Rows"),
		resp.Header.Get("Callboard-Participants"), sized(m.bytes), resp.Header.Get("Callboard-Feed"))
	return err
}

// meter passes on what is written to it and shows on a terminal how much that was.
type meter struct {
	to           io.Writer
	stderr       io.Writer
	began, shown time.Time
	bytes        int64
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.to.Write(b)
	m.bytes += int64(n)
	if now := time.Now(); isTerminal(m.stderr) && now.Sub(m.shown) > 200*time.Millisecond {
		m.shown = now
		fmt.Fprintf(m.stderr, "\r%s in %s ", sized(m.bytes), now.Sub(m.began).Round(100*time.Millisecond))
	}
	return n, err
}

// clear takes away what was shown.
func (m *meter) clear() string {
	if m.shown.IsZero() {
		return ""
	}
	return "\r\x1b[K"
}

func sized(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
