package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"callboard/internal/stage"
)

// page is what every paged operation takes.
type page struct {
	NextToken  string `json:"nextToken" check:"next"`
	MaxResults *int   `json:"maxResults" check:"min=1,max=100"`
}

// The size of a page that does not say one, and the largest.
const (
	defaultResults = 50
	mostResults    = 100
)

// question is all that a page token must not outlive: the operation, who asks
// where, and what is asked. Only maxResults may change from page to page.
type question []string

func ask(operation string, c stage.Caller, about ...string) question {
	return append(question{operation, c.Account, c.Region}, about...)
}

// A page token is base64url, without padding, of
//
//	1 byte    version
//	8 bytes   position, big-endian
//	16 bytes  HMAC-SHA-256 over the 9 bytes above and the question, truncated
//
// The position says where the next page begins, not how much came before, so
// rows that come or go meanwhile neither repeat nor hide others.
const (
	tokenVersion = 1
	tokenHead    = 1 + 8
	sealLen      = 16
	tokenLen     = tokenHead + sealLen
)

// openPage turns the page of a request into one of the domain.
func (a *API) openPage(p page, q question) (stage.Page, error) {
	return a.openPageOf(defaultResults, p, q)
}

// openPageOf is openPage for an operation whose pages have another size unless
// the request says one.
func (a *API) openPageOf(size int, p page, q question) (stage.Page, error) {
	out := stage.Page{Limit: size}
	if p.MaxResults != nil {
		out.Limit = *p.MaxResults
	}
	if p.NextToken == "" {
		return out, nil
	}
	encoding := base64.RawURLEncoding.Strict()
	if len(p.NextToken) != encoding.EncodedLen(tokenLen) {
		return stage.Page{}, errToken
	}
	token, err := encoding.DecodeString(p.NextToken)
	if err != nil || len(token) != tokenLen || token[0] != tokenVersion {
		return stage.Page{}, errToken
	}
	if !hmac.Equal(token, a.appendSeal(token[:tokenHead:tokenHead], q)) {
		return stage.Page{}, errToken
	}
	out.After = int64(binary.BigEndian.Uint64(token[1:]))
	return out, nil
}

// unissued refuses any token, for an operation that has issued none.
func (p page) unissued() error {
	if p.NextToken != "" {
		return errToken
	}
	return nil
}

// nextToken gives the token of the page that begins after a position; "" when
// there is none.
func (a *API) nextToken(position int64, q question) string {
	if position == 0 {
		return ""
	}
	head := binary.BigEndian.AppendUint64([]byte{tokenVersion}, uint64(position))
	return base64.RawURLEncoding.EncodeToString(a.appendSeal(head, q))
}

// appendSeal appends the authentication code of a token's head, which is b, and
// its question.
func (a *API) appendSeal(b []byte, q question) []byte {
	mac := hmac.New(sha256.New, a.o.PageKey)
	mac.Write(b)
	for _, part := range q { // with its length, so that parts cannot flow into each other
		mac.Write(binary.AppendUvarint(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return mac.Sum(b)[:len(b)+sealLen]
}

var errToken = invalid("Invalid nextToken")
