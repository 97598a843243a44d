package api

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

var oddJSON = []string{
	`{}`, `[]`, ` { } `, `{"a":1}`, `{"a" : "b" , "c":[1, 2 ,{"d":"}"}],"e":null}`, `{"a":1,"a":2}`, `{"\u0061":"\"\\","b\\":""}`,
	"{\"\xff\":\"\xff\"}", `{"a":-1.5E+10,"b":true,"c":false}`, `[[],[[]],{}]`, `["a,b","]","\\\""]`, `[1,2.0,null,"x"]`, "\t[\n1\r]",
}

func FuzzTakeApart(f *testing.F) {
	for _, text := range oddJSON {
		f.Add([]byte(text))
	}
	f.Fuzz(takeApart)
}

// takeApart compares what is found in an object or array with what
// encoding/json finds.
func takeApart(t *testing.T, text []byte) {
	text = skipSpace(text)
	if !json.Valid(text) {
		return
	}
	switch text[0] {
	case '{':
		var want map[string]json.RawMessage
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		got := maps.Collect(members(text))
		if !maps.EqualFunc(got, want, func(a []byte, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	case '[':
		var want []json.RawMessage
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		got := slices.Collect(items(text))
		if !slices.EqualFunc(got, want, func(a []byte, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	case '"':
		var want string
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if value, _ := cutValue(text); unquote(value) != want {
			t.Errorf("%q: got %q, want %q", text, unquote(value), want)
		}
	}
}
