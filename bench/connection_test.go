package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
)

// connection sends ready-made requests and reads answers with as little work
// as can be, so that what is measured is the server.
type connection struct {
	conn   net.Conn
	in     *bufio.Reader
	answer []byte
}

func dial(base string) *connection {
	u, err := url.Parse(base)
	if err != nil {
		panic(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		panic(err)
	}
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}
}

func (c *connection) close() { c.conn.Close() }

// wire gives the bytes of a request as they go over the connection.
func wire(r *http.Request) []byte {
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// do sends a request and gives the answer's body, valid until the next call.
func (c *connection) do(request []byte) ([]byte, error) {
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200")) {
		rest, _ := c.in.Peek(c.in.Buffered())
		return nil, fmt.Errorf("%s%s", status, rest)
	}
	length := 0
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); textproto.CanonicalMIMEHeaderKey(string(name)) == "Content-Length" {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		}
	}
	if cap(c.answer) < length {
		c.answer = make([]byte, length)
	}
	c.answer = c.answer[:length]
	_, err = io.ReadFull(c.in, c.answer)
	return c.answer, err
}
