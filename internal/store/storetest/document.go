package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"callboard/internal/stage"
)

func documents(t *testing.T, open opener) {
	t.Run("a document comes back as it was put, with number, version and time", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		d := stage.Document{
			ARN:  stageARN("a"),
			Name: "café \"1\" <&>",
			Tags: map[string]string{"team": "été", "empty": "", "a<b>": "&\u2028"},
			Body: []byte(`{"recording":{"on":true}}`),
		}
		var now time.Time
		update(t, s, func(tx stage.Tx) error { now = tx.Now(); return tx.PutDocument(&d) })
		if d.No == 0 || d.Version == 0 || !d.Created.Equal(now) {
			t.Errorf("after the insert: No %d, Version %d, Created %v; the transaction began at %v", d.No, d.Version, d.Created, now)
		}
		got := read(t, s, func(tx stage.Tx) (stage.Document, error) { return tx.Document(d.ARN) })
		equal(t, "document", got, d)
	})

	t.Run("tags that were nil can be added to", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		update(t, s, func(tx stage.Tx) error {
			return tx.PutDocument(&stage.Document{ARN: stageARN("a"), Body: []byte("{}")})
		})
		got := read(t, s, func(tx stage.Tx) (stage.Document, error) { return tx.Document(stageARN("a")) })
		got.Tags["a"] = "b"
	})

	t.Run("an unknown document is ErrNoRow", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		if err := s.View(t.Context(), func(tx stage.Tx) error { _, err := tx.Document(stageARN("a")); return err }); !errors.Is(err, stage.ErrNoRow) {
			t.Errorf("reading: %v", err)
		}
		if err := s.Update(t.Context(), func(tx stage.Tx) error { return tx.DeleteDocument(stageARN("a")) }); !errors.Is(err, stage.ErrNoRow) {
			t.Errorf("deleting: %v", err)
		}
	})

	t.Run("an ARN is taken once", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		put := func(tx stage.Tx) error {
			return tx.PutDocument(&stage.Document{ARN: stageARN("a"), Body: []byte("{}")})
		}
		update(t, s, put)
		if err := s.Update(t.Context(), put); err == nil {
			t.Error("the second insert succeeded")
		}
	})

	t.Run("a replacement counts the version up and keeps number and time of creation", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		d := stage.Document{ARN: stageARN("a"), Name: "one", Body: []byte("{}")}
		update(t, s, func(tx stage.Tx) error { return tx.PutDocument(&d) })
		first := d
		d.Name, d.Tags, d.Body = "two", map[string]string{"k": "v"}, []byte(`{"x":1}`)
		update(t, s, func(tx stage.Tx) error { return tx.PutDocument(&d) })
		if d.Version != first.Version+1 || d.No != first.No || !d.Created.Equal(first.Created) {
			t.Errorf("after the replacement %+v, before %+v", d, first)
		}
		got := read(t, s, func(tx stage.Tx) (stage.Document, error) { return tx.Document(d.ARN) })
		equal(t, "document", got, d)
	})

	t.Run("a document that was changed or deleted meanwhile is not replaced", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		d := stage.Document{ARN: stageARN("a"), Name: "one", Body: []byte("{}")}
		update(t, s, func(tx stage.Tx) error { return tx.PutDocument(&d) })
		stale := d
		d.Name = "two"
		update(t, s, func(tx stage.Tx) error { return tx.PutDocument(&d) })
		stale.Name = "three"
		if err := s.Update(t.Context(), func(tx stage.Tx) error { return tx.PutDocument(&stale) }); !errors.Is(err, stage.ErrChanged) {
			t.Errorf("replacing a changed one: %v", err)
		}
		got := read(t, s, func(tx stage.Tx) (stage.Document, error) { return tx.Document(d.ARN) })
		equal(t, "name", got.Name, "two")
		update(t, s, func(tx stage.Tx) error { return tx.DeleteDocument(d.ARN) })
		if err := s.Update(t.Context(), func(tx stage.Tx) error { return tx.PutDocument(&d) }); !errors.Is(err, stage.ErrChanged) {
			t.Errorf("replacing a deleted one: %v", err)
		}
	})

	t.Run("a body of a megabyte is kept", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		body := append(append([]byte(`"`), bytes.Repeat([]byte("0123456789abcdef"), 1<<16)...), '"')
		update(t, s, func(tx stage.Tx) error { return tx.PutDocument(&stage.Document{ARN: stageARN("a"), Body: body}) })
		got := read(t, s, func(tx stage.Tx) (stage.Document, error) { return tx.Document(stageARN("a")) })
		if !bytes.Equal(got.Body, body) {
			t.Errorf("%d bytes came back of %d", len(got.Body), len(body))
		}
	})

	t.Run("lists are of one type, account and region, in order of creation", documentLists(open))
	t.Run("links come back as a set and go with their document", documentLinks(open))
	t.Run("lists by link have who has the link, in order of creation", linkedLists(open))
}

func documentLists(open opener) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		s := open(t)
		var want []string
		update(t, s, func(tx stage.Tx) error {
			for i := range 60 {
				arn := stageARN(fmt.Sprintf("%c%d", 'z'-rune(i%20), i))
				switch i % 4 {
				case 1:
					arn.Type = stage.TypePublicKey
				case 2:
					arn.Account = "210987654321"
				case 3:
					arn.Region = "us-east-1"
				default:
					want = append(want, arn.ID)
				}
				if err := tx.PutDocument(&stage.Document{ARN: arn, Body: []byte("{}")}); err != nil {
					return err
				}
			}
			return nil
		})
		update(t, s, func(tx stage.Tx) error { return tx.DeleteDocument(stageARN(want[3])) })
		want = append(want[:3:3], want[4:]...)

		var got []string
		for after := int64(0); ; {
			list := read(t, s, func(tx stage.Tx) ([]stage.Document, error) {
				return tx.Documents(stage.DocumentQuery{Type: stage.TypeStage, Account: "123456789012", Region: "eu-west-1", After: after, Limit: 4})
			})
			if len(list) == 0 {
				break
			}
			for _, d := range list {
				got, after = append(got, d.ARN.ID), d.No
			}
		}
		equal(t, "walk", got, want)

		for most, n := range map[int]int{1000: len(want), len(want): len(want), 2: 2, 0: 0} {
			got := read(t, s, func(tx stage.Tx) (int, error) {
				return tx.CountDocuments(stage.TypeStage, "123456789012", "eu-west-1", most)
			})
			equal(t, "count", got, n)
		}
		regions := read(t, s, func(tx stage.Tx) ([]string, error) { return tx.Regions(stage.TypeStage, "123456789012") })
		if !slices.Contains(regions, "eu-west-1") || !slices.IsSorted(regions) || len(slices.Compact(slices.Clone(regions))) != len(regions) {
			t.Errorf("regions: %q", regions)
		}
		equal(t, "regions of nothing", read(t, s, func(tx stage.Tx) ([]string, error) { return tx.Regions(stage.TypeStage, "1") }), nil)
		none := read(t, s, func(tx stage.Tx) ([]stage.Document, error) {
			return tx.Documents(stage.DocumentQuery{Type: stage.TypeComposition, Account: "1", Region: "x", Limit: 10})
		})
		equal(t, "list of nothing", none, []stage.Document{})
	}
}

func documentLinks(open opener) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		s := open(t)
		a, b, c := stageARN("a"), stageARN("b"), stageARN("c")
		d := stage.Document{ARN: stageARN("x"), Body: []byte("{}"), Links: []stage.ARN{c, a, c}}
		links := func() []stage.ARN {
			t.Helper()
			one := read(t, s, func(tx stage.Tx) (stage.Document, error) { return tx.Document(d.ARN) })
			list := read(t, s, func(tx stage.Tx) ([]stage.Document, error) {
				return tx.Documents(stage.DocumentQuery{Type: stage.TypeStage, Account: d.ARN.Account, Region: d.ARN.Region, Limit: 1})
			})
			equal(t, "links in a list", list[0].Links, one.Links)
			return one.Links
		}
		put := func(tx stage.Tx) error { return tx.PutDocument(&d) }
		update(t, s, put)
		equal(t, "links", links(), []stage.ARN{a, c})
		d.Links = []stage.ARN{b, c}
		update(t, s, put)
		equal(t, "links after a change", links(), []stage.ARN{b, c})
		d.Links = nil
		update(t, s, put)
		equal(t, "links after their end", links(), nil)

		d.Links = []stage.ARN{a}
		update(t, s, put)
		update(t, s, func(tx stage.Tx) error { return tx.DeleteDocument(d.ARN) })
		d.No, d.Links = 0, nil
		update(t, s, put)
		equal(t, "links of who came after with the same name", links(), nil)
	}
}

func linkedLists(open opener) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		s := open(t)
		one, two := stageARN("one"), stageARN("two")
		var want []string
		update(t, s, func(tx stage.Tx) error {
			for i := range 60 {
				d := stage.Document{ARN: stageARN(fmt.Sprintf("%c%d", 'z'-rune(i%20), i)), Body: []byte("{}"), Links: []stage.ARN{two, one}}
				switch i % 6 {
				case 1:
					d.ARN.Type = stage.TypePublicKey
				case 2:
					d.ARN.Account = "210987654321"
				case 3:
					d.ARN.Region = "us-east-1"
				case 4:
					d.Links = d.Links[:1]
				case 5:
					d.Links = nil
				default:
					want = append(want, d.ARN.ID)
				}
				if err := tx.PutDocument(&d); err != nil {
					return err
				}
			}
			return nil
		})
		update(t, s, func(tx stage.Tx) error { return tx.DeleteDocument(stageARN(want[3])) })
		want = append(want[:3:3], want[4:]...)

		var got []string
		for after := int64(0); ; {
			list := read(t, s, func(tx stage.Tx) ([]stage.Document, error) {
				return tx.Documents(stage.DocumentQuery{
					Type: stage.TypeStage, Account: one.Account, Region: one.Region, Link: one, After: after, Limit: 2,
				})
			})
			if len(list) == 0 {
				break
			}
			for _, d := range list {
				got, after = append(got, d.ARN.ID), d.No
				equal(t, "links of "+d.ARN.ID, d.Links, []stage.ARN{one, two})
			}
		}
		equal(t, "walk", got, want)
	}
}
