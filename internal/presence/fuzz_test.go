package presence

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		`{"type":"SET_STATE","version":"0","audioMuted":false,"videoStopped":false}`,
		`{"type":"MUTE","payload":{"audioMuted":true,"videoStopped":true}}`,
		`{"type":"HELLO","payload":{"sdkVersion":"1","resume":"abc"}}`,
		`{"type":"PING","id":7}`, `{"type":"LEAVE"}`, `{"type":"EXCHANGE_TOKEN","payload":{"token":"a.b.c"}}`,
		`{"type":"aws:ivs:EXCHANGE_TOKEN","payload":{"newToken":"a.b.c","requestId":"r","traceId":7}}`,
		`{"type":null}`, `[]`, `{"type":"MUTE","payload":null}`, `{"type":"X","payload":[[[[`, "\xff", "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err != nil && (m.kind != "" || !reflect.DeepEqual(m.body, body{})) {
			t.Errorf("%q gives %+v beside %v", data, m, err)
		}
		if err == nil && len(m.id) > 0 {
			encodeID("PONG", nil, m.id) // panics if it is not JSON
		}
	})
}

func FuzzReadHandshake(f *testing.F) {
	f.Add("callboard.events.v1, a.b.c", "")
	f.Add("a.b.c", "")
	f.Add("", "Bearer a.b.c")
	f.Add(",,", "bearer")
	f.Fuzz(func(t *testing.T, protocols, authorization string) {
		h := http.Header{"Sec-Websocket-Protocol": {protocols}, "Authorization": {authorization}}
		got := readHandshake(&http.Request{URL: new(url.URL), Header: h})
		if got.echo != "" && !strings.Contains(strings.ToLower(protocols), strings.ToLower(got.echo)) {
			t.Errorf("%q was not offered in %q", got.echo, protocols)
		}
	})
}

func FuzzTopicOf(f *testing.F) {
	f.Add("/events/", "abc/publishers")
	f.Add("/events/abc", "")
	f.Add("/events", "")
	f.Add("/eventsabc", "x")
	f.Fuzz(func(t *testing.T, path, query string) {
		if topic, ok := topicOf(path, "/events", query); strings.Contains(topic, "/") || !ok && topic != "" {
			t.Errorf("%q, %q give topic %q", path, query, topic)
		}
	})
}
