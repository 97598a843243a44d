package roll

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// naive is a roll that anybody can see to be right.
type naive map[int64]Row

func (n naive) page(q Query) []Row {
	var rows []Row
	for _, row := range n {
		if (q.Before == 0 || row.Seq < q.Before) &&
			(q.UserID == nil || row.UserID == *q.UserID) &&
			(q.Connected == nil || row.Connected == *q.Connected) &&
			(q.Published == nil || row.Published == *q.Published) &&
			(q.Recording == nil || row.Recording == *q.Recording) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b Row) int { return int(b.Seq - a.Seq) })
	return rows[:min(q.Limit, len(rows))]
}

// history makes random changes, in the proportions of real life or worse.
type history struct {
	rng  *rand.Rand
	next int64
	all  naive
}

func (h *history) step() Row {
	if h.next == 1 || h.rng.IntN(3) == 0 {
		row := Row{
			Seq: h.next, ID: fmt.Sprintf("participant-%d", h.next), UserID: h.userID(), Connected: true,
			FirstJoin: 1767225600000 + h.next*1001,
		}
		h.next += 1 + int64(h.rng.IntN(40)/39)*300 // now and then a gap
		h.all[row.Seq] = row
		return row
	}
	row, ok := h.all[1+h.rng.Int64N(h.next-1)]
	if !ok {
		return h.step()
	}
	switch h.rng.IntN(5) {
	case 0, 1:
		row.Connected = !row.Connected
	case 2:
		row.Published = true
	case 3:
		row.Recording = uint8(h.rng.IntN(6))
	case 4:
		row.UserID = h.userID()
	}
	h.all[row.Seq] = row
	return row
}

func (h *history) userID() string {
	return []string{"", "ann", "bob", "ünï", fmt.Sprint(h.rng.IntN(1000))}[h.rng.IntN(5)]
}

func (h *history) query() Query {
	q := Query{Limit: h.rng.IntN(20)}
	if h.rng.IntN(3) > 0 {
		q.Before = h.rng.Int64N(h.next + 10)
	}
	switch h.rng.IntN(5) {
	case 0:
		q.UserID = new(h.userID())
	case 1:
		q.Connected = new(h.rng.IntN(2) == 0)
	case 2:
		q.Published = new(h.rng.IntN(2) == 0)
	case 3:
		q.Recording = new(uint8(h.rng.IntN(6)))
	}
	return q
}

func TestPagesAreThoseOfANaiveListWhateverHappens(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		h := &history{rng: rand.New(rand.NewPCG(seed, 0)), next: 1, all: naive{}}
		r := New()
		for i := range 3000 {
			r.Put(h.step())
			if i%10 > 0 {
				continue
			}
			q := h.query()
			if q.UserID == nil {
				all := q
				all.Before, all.Limit = 0, len(h.all)+1
				if got, want := r.Count(q), len(h.all.page(all)); got != want {
					t.Fatalf("%+v counts %d, want %d", q, got, want)
				}
			}
			if got, want := r.Page(q, nil), h.all.page(q); !reflect.DeepEqual(got, slices.Clip(want)) && len(got)+len(want) > 0 {
				t.Fatalf("seed %d, step %d, %+v:\n got %v\nwant %v", seed, i, q, got, want)
			}
		}
		if r.Len() != len(h.all) {
			t.Errorf("%d rows, want %d", r.Len(), len(h.all))
		}
	}
}

func TestRowsOfThousandsOfUserIDsAreFoundByThem(t *testing.T) {
	t.Parallel()
	r := New()
	const n = 30_000
	for i := range int64(n) {
		r.Put(Row{Seq: i + 1, ID: fmt.Sprint("p", i), UserID: fmt.Sprint("u", i/3)})
	}
	for i := range int64(n / 3) {
		rows := r.Page(Query{UserID: new(fmt.Sprint("u", i)), Limit: 10}, nil)
		if len(rows) != 3 || rows[0].Seq != i*3+3 || rows[2].Seq != i*3+1 || rows[1].ID != fmt.Sprint("p", i*3+1) {
			t.Fatalf("the rows of u%d are %v", i, rows)
		}
	}
	if rows := r.Page(Query{UserID: new("u"), Limit: 1}, nil); len(rows) != 0 {
		t.Errorf("a user id that nobody has gives %v", rows)
	}
}

func TestSomebodyWhoseUserIDChangesIsFoundInALongChainAtOnce(t *testing.T) {
	t.Parallel()
	const n = 100_000
	r := New()
	for seq := range int64(n) {
		r.Put(Row{Seq: seq + 1, UserID: "all"})
	}
	for _, seq := range []uint32{1, 2, blockRows, n / 2, n - 1, n} {
		r.Put(Row{Seq: int64(seq), UserID: "other"})
		rows := r.Page(Query{UserID: new("all"), Before: int64(seq), Limit: 1}, nil)
		if len(rows) != min(1, int(seq)-1) || seq > 1 && rows[0].Seq != int64(seq)-1 {
			t.Errorf("below %d, who has gone from the chain, there is %v", seq, rows)
		}
		looked := 0
		head, _ := r.users.find(r.users.hash("all"), r.has("all"))
		r.around(seq, uint32(*head), func(near uint32) bool { looked++; return r.has("all")(near) })
		if looked > 3 {
			t.Errorf("the place of %d is found after looking at %d rows", seq, looked)
		}
		r.Put(Row{Seq: int64(seq), UserID: "all"})
	}
	if rows := r.Page(Query{UserID: new("all"), Limit: 2 * n}, nil); len(rows) != n {
		t.Errorf("the chain has %d rows", len(rows))
	}
}

func TestPagesGoOnAcrossEveryBoundary(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("three hundred thousand rows")
	}
	const n = wordBits*wordBits*wordBits + 300
	r := New()
	for seq := range int64(n) {
		r.Put(Row{Seq: seq + 1, UserID: "u", Connected: seq%2 == 0, Recording: 5})
	}
	for _, at := range []int64{1, 2, wordBits, blockRows, wordBits * wordBits, wordBits * wordBits * wordBits, n, n + 1, 1 << 31, math.MaxUint32, 1 << 32, math.MaxInt64} {
		for before := at - 2; before > 0 && before <= at+2; before++ {
			top := min(before-1, n)
			for _, q := range []Query{{}, {UserID: new("u")}, {Recording: new(uint8(5))}} {
				q.Before, q.Limit = before, 3
				if rows := r.Page(q, nil); len(rows) != int(min(3, top)) || top > 0 && rows[0].Seq != top || top > 2 && rows[2].Seq != top-2 {
					t.Errorf("%+v: %v", q, rows)
				}
			}
			q := Query{Before: before, Limit: 1, Connected: new(true)}
			if rows := r.Page(q, nil); top > 0 && rows[0].Seq != top-(top+1)%2 {
				t.Errorf("%+v: %v", q, rows)
			}
		}
	}
}

func TestNobodyIsBelowANegativeBound(t *testing.T) {
	t.Parallel()
	r := New()
	r.Put(Row{Seq: 1, UserID: "u"})
	for _, q := range []Query{{}, {UserID: new("u")}, {Connected: new(false)}} {
		q.Before, q.Limit = -1, 1
		if rows := r.Page(q, nil); len(rows) > 0 {
			t.Errorf("%+v: %v", q, rows)
		}
	}
}

// TestAWalkOfAUserIDIsTrueWhileUserIDsChange walks with the tokens that callers
// get, the last row of each page, which may be another's when it is used.
func TestAWalkOfAUserIDIsTrueWhileUserIDsChange(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 9))
	ids := []string{"", "ann", "bob"}
	for range 200 {
		r, all := New(), naive{}
		put := func(row Row) { r.Put(row); all[row.Seq] = row }
		for seq := int64(1); seq < 150; seq += 1 + rng.Int64N(3) {
			put(Row{Seq: seq, UserID: ids[rng.IntN(3)]})
		}
		for q := (Query{UserID: new(ids[rng.IntN(3)]), Limit: 5}); ; {
			rows := r.Page(q, nil)
			if want := all.page(q); !slices.Equal(rows, want) {
				t.Fatalf("%+v:\n got %v\nwant %v", q, rows, want)
			}
			if len(rows) == 0 {
				break
			}
			q.Before = rows[len(rows)-1].Seq
			put(Row{Seq: q.Before, UserID: ids[rng.IntN(3)]}) // the token's own row
			for _, row := range rows[:rng.IntN(len(rows))] {
				put(Row{Seq: row.Seq, UserID: ids[rng.IntN(3)]})
			}
			put(Row{Seq: 1 + rng.Int64N(q.Before), UserID: ids[rng.IntN(3)]})
		}
	}
}

// TestAUsersTableAlwaysHasAFreeEntry looks at what ends every search.
func TestAUsersTableAlwaysHasAFreeEntry(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	r := New()
	for i := range int64(60_000) {
		r.Put(Row{Seq: 1 + rng.Int64N(1+i/4), UserID: fmt.Sprint(i)}) // nearly every entry is gone soon
		if i%1000 > 0 {
			continue
		}
		bytes := 0
		for _, p := range r.users.parts {
			free, live := 0, 0
			for _, e := range p.entries {
				switch {
				case e == 0:
					free++
				case e > gone:
					live++
				}
			}
			if len(p.entries) > 0 && free*4 < len(p.entries) || p.used != len(p.entries)-free {
				t.Fatalf("step %d: %d of %d entries are free, %d have somebody, used says %d", i, free, len(p.entries), live, p.used)
			}
			bytes += 8 * len(p.entries)
		}
		if len(r.users.parts) > 1 {
			bytes += 32 * manyParts
		}
		if bytes != r.users.bytes {
			t.Fatalf("step %d: %d bytes, counted are %d", i, bytes, r.users.bytes)
		}
	}
	if len(r.users.parts) == 1 {
		t.Error("the table has not been split")
	}
}

func TestTextsThatChangeForEverDoNotFillTheMemory(t *testing.T) {
	t.Parallel()
	r := New()
	for i := range int64(100) {
		r.Put(Row{Seq: i + 1, ID: fmt.Sprint("p", i), UserID: "first"})
	}
	before := r.Bytes()
	for i := range 50_000 {
		r.Put(Row{Seq: int64(i%100) + 1, ID: fmt.Sprint("p", i%100), UserID: fmt.Sprint("user ", i)})
	}
	if after := r.Bytes(); after > before+64<<10 {
		t.Errorf("%d bytes have become %d", before, after)
	}
	if rows := r.Page(Query{UserID: new("user 49999"), Limit: 2}, nil); len(rows) != 1 || rows[0].ID != "p99" {
		t.Errorf("the last one is %v", rows)
	}
}

func TestShortTextsThatChangeForEverDoNotFillTheMemory(t *testing.T) {
	t.Parallel()
	r := New()
	for i := range 100_000 {
		r.Put(Row{Seq: 1, UserID: []string{"", "u"}[i%2]})
	}
	if bytes := r.Bytes(); bytes > 64<<10 {
		t.Errorf("one row takes %d bytes", bytes)
	}
}

func TestAPageIsReadWhileOthersWrite(t *testing.T) {
	t.Parallel()
	r := New()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range int64(20_000) {
			r.Put(Row{Seq: i + 1, ID: fmt.Sprint("p", i), UserID: fmt.Sprint("u", i%7), Connected: i%2 == 0})
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		rows := r.Page(Query{UserID: new("u3"), Limit: 50}, nil)
		for i, row := range rows {
			if row.UserID != "u3" || row.ID != fmt.Sprint("p", row.Seq-1) || i > 0 && row.Seq != rows[i-1].Seq-7 {
				t.Fatalf("row %d is %+v", i, row)
			}
		}
	}
}

func BenchmarkPage(b *testing.B) {
	for _, size := range []int64{1e3, 1e6, 1e7} {
		r := New()
		for i := range size {
			r.Put(Row{
				Seq: i + 1, ID: fmt.Sprintf("P%011d", i), UserID: fmt.Sprintf("a-user-of-the-application-%07d", i/3),
				Connected: i%1000 == 0, Published: i%10 < 3, Recording: uint8(i%100/99) * 5, FirstJoin: 1767225600000 + i,
			})
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for _, q := range []struct {
			name string
			ask  func() Query
		}{
			{"first", func() Query { return Query{} }},
			{"deep", func() Query { return Query{Before: 1 + rng.Int64N(size)} }},
			{"userId", func() Query {
				return Query{UserID: new(fmt.Sprintf("a-user-of-the-application-%07d", rng.Int64N(size/3)))}
			}},
			{"connected", func() Query { return Query{Connected: new(true), Before: 1 + rng.Int64N(size)} }},
			{"published", func() Query { return Query{Published: new(true), Before: 1 + rng.Int64N(size)} }},
			{"recording", func() Query { return Query{Recording: new(uint8(5)), Before: 1 + rng.Int64N(size)} }},
		} {
			b.Run(fmt.Sprintf("%.0e/%s", float64(size), q.name), func(b *testing.B) {
				var rows []Row
				for b.Loop() {
					ask := q.ask()
					ask.Limit = 51
					rows = r.Page(ask, rows[:0])
				}
				b.ReportMetric(float64(r.Bytes())/float64(size)-33, "B/row+userId")
			})
		}
	}
}

func BenchmarkPut(b *testing.B) {
	r := New()
	i := int64(0)
	for b.Loop() {
		r.Put(Row{Seq: i + 1, ID: "P00000000000", UserID: fmt.Sprintf("a-user-of-the-application-%07d", i/3), FirstJoin: i})
		i++
	}
}
