package desk

import (
	"net/http"
	"net/url"
	"reflect"
	"testing"

	"callboard/internal/api"
	"callboard/internal/stage"
)

func FuzzTheQueryOfAWatch(f *testing.F) {
	for _, q := range []string{"", "state=CONNECTED&published=true", "userId=&userIdPrefix=a", "attribute.role=host&attribute.a%26b=1", "cursor=12e-abcdefghij", "X-Amz-Date=x", "state=a&state=b", "%zz"} {
		f.Add(q)
	}
	in := compile(reflect.TypeFor[watchStageInput](), "/stages/{stage}/watch")
	f.Fuzz(func(t *testing.T, raw string) {
		var got watchStageInput
		c := &call{Visitor: &api.Visitor{Request: &http.Request{URL: &url.URL{RawQuery: raw}}}, words: map[string]string{"stage": "a"}}
		if err := in.decode(c, reflect.ValueOf(&got).Elem()); err != nil {
			if stage.KindOf(err) != stage.Invalid {
				t.Errorf("%q is refused with %v", raw, err)
			}
			return
		}
		m := got.meaning()
		m.Match(&stage.Participant{Detail: &stage.Detail{}})
		if got.text() == "" && !reflect.DeepEqual(m, stage.Filter{}) {
			t.Errorf("%q has the meaning %+v and no text", raw, m)
		}
	})
}

func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "1-abcdefghij", "1e-abcdefghij", "-1-abcdefghij", "99999999999999999999-abcdefghij", "1ee-abcdefghij", "+1-abcdefghij"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		w := &watcher{tag: "-abcdefghij", key: -1}
		w.resume(cursor)
		if w.reset == w.resumed || w.resumed != (w.key >= 0) {
			t.Errorf("%q leaves %+v", cursor, w)
		}
		if again := (&watcher{tag: w.tag}); w.resumed {
			if again.resume(w.id(w.key)); again.key != w.key {
				t.Errorf("%q is %d and then %d", cursor, w.key, again.key)
			}
		}
	})
}
