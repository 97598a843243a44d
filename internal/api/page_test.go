package api

import (
	"encoding/base64"
	"strings"
	"testing"

	"callboard/internal/stage"
	"callboard/internal/store"
)

var (
	asker    = stage.Caller{Account: "123456789012", Region: testRegion}
	oneQuery = ask("ListParticipants", asker, testStage, "st-1CVugbu2cf2n8", "filterByUserId=ann")
)

func TestPageTokenLeadsBackToItsPosition(t *testing.T) {
	t.Parallel()
	a := New(Options{PageKey: []byte("key")})
	for _, position := range []int64{1, 255, 1 << 40, -1} {
		token := a.nextToken(position, oneQuery)
		p, err := a.openPage(page{NextToken: token, MaxResults: new(7)}, oneQuery)
		if err != nil || p.After != position || p.Limit != 7 {
			t.Errorf("%d: got %+v, %v", position, p, err)
		}
		if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("token %q is not of the model's alphabet", token)
		}
	}
	if a.nextToken(0, oneQuery) != "" {
		t.Error("there is a token for no page")
	}
	if p, err := a.openPage(page{}, oneQuery); err != nil || p != (stage.Page{Limit: 50}) {
		t.Errorf("first page is %+v, %v", p, err)
	}
}

func TestPageTokenOfAnotherQuestionIsRefused(t *testing.T) {
	t.Parallel()
	a := New(Options{PageKey: []byte("key")})
	token := a.nextToken(42, oneQuery)
	for name, q := range map[string]question{
		"operation": ask("ListParticipantEvents", asker, oneQuery[3:]...),
		"account":   ask("ListParticipants", stage.Caller{Account: "1", Region: testRegion}, oneQuery[3:]...),
		"region":    ask("ListParticipants", stage.Caller{Account: asker.Account, Region: "us-east-1"}, oneQuery[3:]...),
		"session":   ask("ListParticipants", asker, testStage, "st-2CVugbu2cf2n8", "filterByUserId=ann"),
		"value":     ask("ListParticipants", asker, testStage, "st-1CVugbu2cf2n8", "filterByUserId=bob"),
		"no filter": ask("ListParticipants", asker, testStage, "st-1CVugbu2cf2n8", ""),
		"cut":       ask("ListParticipants", asker, testStage, "st-1CVugbu2cf2n8filterByUserId=ann", ""),
	} {
		if _, err := a.openPage(page{NextToken: token}, q); err != errToken {
			t.Errorf("another %s: %v", name, err)
		}
	}
	other := New(Options{PageKey: []byte("other key")})
	if _, err := other.openPage(page{NextToken: token}, oneQuery); err != errToken {
		t.Errorf("another server: %v", err)
	}
}

func TestTamperedPageTokenIsRefused(t *testing.T) {
	t.Parallel()
	a := New(Options{PageKey: []byte("key")})
	token := a.nextToken(42, oneQuery)
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	for i := range raw {
		bent := append([]byte(nil), raw...)
		bent[i] ^= 1
		if _, err := a.openPage(page{NextToken: base64.RawURLEncoding.EncodeToString(bent)}, oneQuery); err != errToken {
			t.Errorf("byte %d bent: %v", i, err)
		}
	}
	for _, bad := range []string{"x", "42", token[1:], token + "A", token + "=", token[:len(token)-2], strings.Repeat("A", 1024)} {
		if _, err := a.openPage(page{NextToken: bad}, oneQuery); err != errToken {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzPageToken(f *testing.F) {
	a := New(Options{PageKey: []byte("key")})
	f.Add(a.nextToken(42, oneQuery))
	f.Add("")
	f.Add("AQAAAAAAAAAq")
	good := a.nextToken(42, oneQuery)
	f.Fuzz(func(t *testing.T, token string) {
		p, err := a.openPage(page{NextToken: token}, oneQuery)
		if err == nil && token != "" && token != good && a.nextToken(p.After, oneQuery) != token {
			t.Errorf("%q was believed", token)
		}
	})
}

func TestPagesHaveTheSizeOfTheirOperationUnlessTheRequestSaysOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	facts, err := store.Open(t.Context(), store.Options{})
	w.check(err)
	defer facts.Close()
	open := func(q stage.Quotas) {
		o := w.options()
		o.Service, _, err = stage.Open(t.Context(), stage.Options{Store: facts, Quotas: q})
		w.check(err)
		w.API = New(o)
	}
	open(stage.Quotas{})
	const many = 101
	for range many {
		w.post("CreateEncoderConfiguration", `{}`, nil)
		w.post("CreateStorageConfiguration", `{"s3":{"bucketName":"b-1"}}`, nil)
		w.post("CreateIngestConfiguration", `{"ingestProtocol":"RTMPS"}`, nil)
	}
	size := func(operation, member, body string, want int) {
		t.Helper()
		var out map[string]any
		w.post(operation, body, &out)
		if got := len(out[member].([]any)); got != want || (out["nextToken"] != nil) != (want < many) {
			t.Errorf("%s %s gives a page of %d, want %d", operation, body, got, want)
		}
	}
	size("ListEncoderConfigurations", "encoderConfigurations", `{}`, 100)
	size("ListIngestConfigurations", "ingestConfigurations", `{}`, 50)
	size("ListStorageConfigurations", "storageConfigurations", `{}`, 100)
	open(stage.Quotas{StorageConfigurations: 1000})
	size("ListStorageConfigurations", "storageConfigurations", `{}`, 100)
	open(stage.Quotas{StorageConfigurations: 5, EncoderConfigurations: 5, IngestConfigurations: 5})
	size("ListStorageConfigurations", "storageConfigurations", `{}`, 5)
	size("ListStorageConfigurations", "storageConfigurations", `{"maxResults":7}`, 7)
	size("ListEncoderConfigurations", "encoderConfigurations", `{}`, 100)
	size("ListIngestConfigurations", "ingestConfigurations", `{}`, 50)
}
