package desk

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"callboard/internal/export"
	"callboard/internal/stage"
)

type exportSessionInput struct {
	place
	What   string `query:"what" required:"yes" enum:"participants,attendance,events" doc:"the table: one row for each participant, for each interval of a participant, or for each event"`
	Format string `query:"format" required:"yes" enum:"csv,jsonl,parquet" doc:"how it is written"`
}

// Headers of an export. What is not known before the end is in trailers: an export
// without them is not complete.
const (
	feedHeader     = "Callboard-Feed"         // number of the last event that is in it
	sizeHeader     = "Callboard-Participants" // how many there are in all
	rowsTrailer    = "Callboard-Rows"
	slowestReading = 30 * time.Second // of what was written last
)

func exportRoutes() []route {
	return []route{stream[exportSessionInput]("ExportSession", "/stages/{stage}/sessions/{session}/export",
		"Export a session as a table, as of one position of the feed.", map[string]string{
			export.CSV.Media():     "CSV as in RFC 4180, the names of the columns first",
			export.JSONL.Media():   "one JSON object in each line",
			export.Parquet.Media(): "Apache Parquet",
		}, (*Desk).exportSession)}
}

// exported is one of the tables that can be exported.
type exported struct {
	columns []export.Column
	rows    func(*stage.History, context.Context) iter.Seq2[[]any, error]
}

var tables = map[string]exported{
	"participants": {participantColumns, participantRows},
	"attendance":   {intervalColumns, intervalRows},
	"events":       {eventColumns, eventRows},
}

// exportSession writes a table while it reads it. Should something fail on the way,
// the connection is broken off: nobody is to believe that this was all.
func (d *Desk) exportSession(ctx context.Context, c *call, in *exportSessionInput) error {
	session, err := d.session(ctx, c, in.place)
	if err != nil {
		return err
	}
	history, err := d.o.Service.History(ctx, session)
	if err != nil {
		return err
	}
	format := export.Format(in.Format)
	w := c.Stream(format.Media())
	h := w.Header()
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`, session.ID, in.What, in.Format))
	h.Set(feedHeader, strconv.FormatInt(history.No, 10))
	h.Set(sizeHeader, strconv.FormatInt(history.Size(), 10))
	h.Set("Trailer", rowsTrailer)
	h.Add("Vary", "Accept-Encoding")
	packed := format != export.Parquet && strings.Contains(c.Request.Header.Get("Accept-Encoding"), "gzip")
	if packed {
		h.Set("Content-Encoding", "gzip")
	}
	rows, err := writeTable(ctx, &patientWriter{w, http.NewResponseController(w)}, packed, format, tables[in.What], history)
	if err != nil {
		breakOff(w)
		return err
	}
	h.Set(rowsTrailer, strconv.FormatInt(rows, 10))
	return nil
}

// breakOff sees to it that the end of an answer cannot be sent.
func breakOff(w http.ResponseWriter) { http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)) }

func writeTable(ctx context.Context, to io.Writer, packed bool, f export.Format, t exported, history *stage.History) (rows int64, err error) {
	if packed {
		zip, _ := gzip.NewWriterLevel(to, gzip.BestSpeed)
		defer func() {
			if err == nil {
				err = zip.Close()
			}
		}()
		to = zip
	}
	table, err := export.New(to, f, t.columns)
	if err != nil {
		return 0, err
	}
	for row, err := range t.rows(history, ctx) {
		if err != nil {
			return rows, err
		}
		if err := table.Write(row); err != nil {
			return rows, err
		}
		rows++
	}
	return rows, table.Close()
}

// patientWriter gives each write its time: a whole export may take as long as it likes.
type patientWriter struct {
	w       io.Writer
	control *http.ResponseController
}

func (p *patientWriter) Write(b []byte) (int, error) {
	p.control.SetWriteDeadline(time.Now().Add(slowestReading)) // a recorder of tests has none
	return p.w.Write(b)
}

var participantColumns = []export.Column{
	export.Whole.Column("joinSequence"), export.Word.Column("participantId"), export.Text.Column("userId"), export.Word.Column("state"),
	export.Time.Column("firstJoinTime"), export.Flag.Column("published"), export.Flag.Column("publishing"), export.Word.Column("recordingState"),
	export.Word.Column("protocol"), export.JSON.Column("attributes"), export.Text.Column("osName"), export.Text.Column("osVersion"),
	export.Text.Column("browserName"), export.Text.Column("browserVersion"), export.Text.Column("sdkVersion"),
	export.Whole.Column("connectedMs"), export.Whole.Column("publishingMs"), export.Whole.Column("subscribedMs"), export.Whole.Column("reconnects"),
}

func participantRows(h *stage.History, ctx context.Context) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for a, err := range h.Attendances(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			p, client := toAttendant(&a), a.Detail.Client
			attributes, err := json.Marshal(p.Attributes)
			if err != nil {
				yield(nil, err)
				return
			}
			row := []any{
				p.JoinSequence, p.ParticipantID, p.UserID, p.State, millisOf(p.FirstJoinTime), p.Published, p.Publishing, p.RecordingState,
				string(p.Protocol), string(attributes), client.OSName, client.OSVersion, client.BrowserName, client.BrowserVersion,
				client.SDKVersion, p.Totals.ConnectedMs, p.Totals.PublishingMs, p.Totals.SubscribedMs, p.Totals.Reconnects,
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

var intervalColumns = []export.Column{
	export.Whole.Column("joinSequence"), export.Word.Column("participantId"), export.Text.Column("userId"), export.Word.Column("activity"),
	export.Word.Column("publisherParticipantId"), export.Time.Column("startTime"), export.Time.Column("endTime"), export.Flag.Column("open"), export.Whole.Column("ms"),
}

func intervalRows(h *stage.History, ctx context.Context) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for a, err := range h.Attendances(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, i := range a.Intervals {
				row := []any{
					a.Seq, a.ID, a.UserID, string(i.Activity), orNone(i.Publisher), millisOf(i.From), millisOf(i.To), i.Open, i.To.Sub(i.From).Milliseconds(),
				}
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

var eventColumns = []export.Column{
	export.Whole.Column("no"), export.Time.Column("time"), export.Word.Column("participantId"), export.Word.Column("name"),
	export.Word.Column("remoteParticipantId"), export.Word.Column("errorCode"),
	export.Text.Column("previousToken"), export.Text.Column("newToken"),
}

func eventRows(h *stage.History, ctx context.Context) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for e, err := range h.Events(ctx) {
			row := []any{e.No, millisOf(e.At), e.Participant, string(e.Name), orNone(e.Remote), orNone(string(e.Error)), nil, nil}
			if x := e.Exchange; x != nil {
				row[6], row[7] = grantText(x.Previous), grantText(x.New)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// grantText is what a token gave, as JSON.
func grantText(g stage.Grant) string {
	return string(appendJSON(nil, map[string]any{
		"userId": g.UserID, "attributes": g.Attributes, "capabilities": g.Capabilities(), "expirationTime": g.Expires.UTC(),
	}))
}

func millisOf(t time.Time) int64 { return t.UnixMilli() }

// orNone gives no value for an empty text.
func orNone(text string) any {
	if text == "" {
		return nil
	}
	return text
}
