package express

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answer is the [http.ResponseWriter] of a plain request. It keeps everything
// until the handler is done, so that head and body leave together.
type answer struct {
	header http.Header
	names  []string // scratch, to have them in order
	status int      // 0 until it is written
	head   []byte   // as sent; complete but for what done adds
	out    []byte   // room for the head, then the body
	date   date
}

const (
	// room is what is left for the head before the body.
	room = 2 << 10
	// maxKept is the longest answer whose memory is kept for the next one.
	maxKept = 64 << 10
)

func (a *answer) reset() {
	clear(a.header)
	a.status = 0
	if cap(a.out) < room || cap(a.out) > maxKept {
		a.out = make([]byte, room, 4*room)
	}
	a.out = a.out[:room]
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter]. What is put into the header
// later is not sent.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < 200 { // news about what is to come are for nobody
		return
	}
	a.status = status
	b := append(a.head[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(append(b, ' '), reason(status)...), "\r\n"...)
	a.names = a.names[:0]
	for name := range a.header {
		a.names = append(a.names, name)
	}
	slices.Sort(a.names)
	for _, name := range a.names {
		if !isToken(name) {
			continue
		}
		for _, value := range a.header[name] {
			b = appendLine(b, name, value)
		}
	}
	a.head = b
}

func appendLine(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	if strings.ContainsAny(value, "\r\n") { // what a handler writes must not become another header
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return append(append(b, value...), "\r\n"...)
}

func reason(status int) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return fmt.Sprint("status code ", status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if !a.hasBody() {
		return 0, http.ErrBodyNotAllowed
	}
	a.out = append(a.out, p...)
	return len(p), nil
}

func (a *answer) hasBody() bool {
	return a.status != http.StatusNoContent && a.status != http.StatusNotModified
}

// done gives all bytes of the answer. It adds what net/http would add.
func (a *answer) done(now time.Time, last bool) []byte {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	body := a.out[room:]
	b := append(append(append(a.head, "Date: "...), a.date.at(now)...), "\r\n"...)
	if a.hasBody() && a.header["Content-Length"] == nil {
		b = appendLine(b, "Content-Length", strconv.Itoa(len(body)))
	}
	if len(body) > 0 && a.header["Content-Type"] == nil {
		b = appendLine(b, "Content-Type", http.DetectContentType(body))
	}
	if last && a.header["Connection"] == nil {
		b = appendLine(b, "Connection", "close")
	}
	b = append(b, "\r\n"...)
	a.head = b
	if len(b) > room {
		return slices.Concat(b, body)
	}
	copy(a.out[room-len(b):], b)
	return a.out[room-len(b):]
}

// closing tells whether the handler wants the connection to end.
func (a *answer) closing() bool {
	list := a.header["Connection"]
	return len(list) > 0 && !strings.EqualFold(list[0], "keep-alive")
}

// date is the time of answers as text, which is another only each second.
type date struct {
	second int64
	text   []byte
}

func (d *date) at(now time.Time) []byte {
	if s := now.Unix(); s != d.second {
		d.second, d.text = s, now.UTC().AppendFormat(d.text[:0], http.TimeFormat)
	}
	return d.text
}
