//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"callboard/internal/api"
	"callboard/internal/server"
	"callboard/internal/sigv4"
	"callboard/internal/stage"
	"callboard/internal/store"
)

// roll is the half of a server that remembers, with a register at hand: this
// many people would take too long to let in through the door.
type roll struct {
	*board
	facts    *store.Store
	service  *stage.Service
	register *stage.Register
	stage    stage.ARN
	session  string
}

// person is what the test knows of somebody on the roll.
type person struct {
	entry                stage.Entry
	userID               string
	connected, published bool
}

func newRoll(t *testing.T) *roll {
	t.Helper()
	facts, err := store.Open(t.Context(), store.Options{Path: server.Memory})
	must(t, err)
	service, register, err := stage.Open(t.Context(), stage.Options{Store: facts, Linger: time.Hour})
	must(t, err)
	b := &board{id: "AKIATESTTESTTESTTEST", secret: "a-secret-of-forty-characters-for-testing"}
	web := httptest.NewServer(api.New(api.Options{
		Service: service, PageKey: []byte("thirty-two bytes of no importance"), Plain: true, Log: slog.New(slog.DiscardHandler),
		Principal: func(sigv4.Identity) api.Principal {
			return api.Principal{Account: account, ARN: "arn:aws:iam::" + account + ":root", Root: true}
		},
		Verifier: &sigv4.Verifier{Service: "ivs", Lookup: func(string) (sigv4.Key, bool) { return sigv4.Key{AccessKeyID: b.id, Secret: b.secret}, true }},
	}))
	t.Cleanup(func() { web.Close(); facts.Close() })
	b.url = web.URL
	b.Client = b.client(b.id, b.secret, region)
	arn, err := stage.ParseARN(b.stage(t))
	must(t, err)
	return &roll{board: b, facts: facts, service: service, register: register, stage: arn}
}

// join lets people in one after another, n to m of them, and has them do
// different things. The newest comes first.
func (r *roll) join(t *testing.T, n, m int) []*person {
	t.Helper()
	people := make([]*person, m-n)
	var wg sync.WaitGroup
	for worker := range 32 {
		wg.Go(func() {
			for i := n + worker; i < m; i += 32 {
				people[i-n] = r.newcomer(t, i)
			}
		})
	}
	wg.Wait()
	slices.SortFunc(people, func(a, b *person) int { return int(b.entry.Seq - a.entry.Seq) })
	r.session = people[0].entry.SessionID
	return people
}

func (r *roll) newcomer(t *testing.T, i int) *person {
	p := &person{userID: fmt.Sprintf("user-%d", i%7), connected: i%3 != 0, published: i%5 == 0}
	if i%7 == 6 {
		p.userID = ""
	}
	ctx := context.Background()
	var err error
	p.entry, err = r.register.Join(ctx, stage.Admission{Stage: r.stage, ParticipantID: fmt.Sprintf("p-%05d", i), UserID: p.userID}, stage.Client{})
	if err != nil {
		t.Error(err)
		return p
	}
	var facts []stage.Fact
	if p.published {
		facts = append(facts, stage.Fact{Name: stage.PublishStarted, Protocol: stage.ProtocolWHIP})
	}
	if !p.connected {
		facts = append(facts, stage.Fact{Name: stage.Left})
	}
	if err := r.register.Record(ctx, p.entry, facts...); err != nil {
		t.Error(err)
	}
	return p
}

// question is ListParticipants with one filter or none. It is sent by hand
// because the Go SDK cannot say that published is to be false.
type question struct {
	name   string
	filter string // members of the request
	wanted func(*person) bool
}

func questions() []question {
	return []question{
		{"everyone", ``, func(*person) bool { return true }},
		{"who is connected", `"filterByState":"CONNECTED"`, func(p *person) bool { return p.connected }},
		{"who is disconnected", `"filterByState":"DISCONNECTED"`, func(p *person) bool { return !p.connected }},
		{"who published", `"filterByPublished":true`, func(p *person) bool { return p.published }},
		{"who never published", `"filterByPublished":false`, func(p *person) bool { return !p.published }},
		{"one user", `"filterByUserId":"user-3"`, func(p *person) bool { return p.userID == "user-3" }},
		{"nobody's user", `"filterByUserId":""`, func(p *person) bool { return p.userID == "" }},
		{"a user there is not", `"filterByUserId":"USER-3"`, func(*person) bool { return false }},
		{"who is being recorded", `"filterByRecordingState":"ACTIVE"`, func(*person) bool { return false }},
	}
}

// page is one answer to ListParticipants.
type page struct {
	Participants []struct{ ParticipantID, UserID, State string }
	NextToken    *string
}

// ask asks for one page; size 0 leaves it to the server.
func (r *roll) ask(t *testing.T, q question, size int, token string) answer {
	t.Helper()
	members := []string{fmt.Sprintf(`"stageArn":"%s","sessionId":"%s"`, r.stage, r.session)}
	if q.filter != "" {
		members = append(members, q.filter)
	}
	if size > 0 {
		members = append(members, fmt.Sprintf(`"maxResults":%d`, size))
	}
	if token != "" {
		members = append(members, fmt.Sprintf(`"nextToken":"%s"`, token))
	}
	return r.call(t, "ListParticipants", "{"+strings.Join(members, ",")+"}")
}

// walk reads all pages. size is asked before every page, and may change.
func (r *roll) walk(t *testing.T, q question, size func() int) (ids []string, sizes []int) {
	t.Helper()
	for token := ""; ; {
		got := r.ask(t, q, size(), token)
		var p page
		if got.status != 200 || json.Unmarshal([]byte(got.body), &p) != nil {
			t.Fatalf("%s: %d %s", q.name, got.status, got.body)
		}
		for _, one := range p.Participants {
			ids = append(ids, one.ParticipantID)
		}
		sizes = append(sizes, len(p.Participants))
		if p.NextToken == nil {
			return ids, sizes
		}
		token = *p.NextToken
	}
}

func idsOf(people []*person, wanted func(*person) bool) (ids []string) {
	for _, p := range people {
		if wanted(p) {
			ids = append(ids, p.entry.ParticipantID)
		}
	}
	return ids
}

func TestTheRollOfThousandsIsCompleteInOrderForEveryFilterAndPageSize(t *testing.T) {
	t.Parallel()
	r := newRoll(t)
	people := r.join(t, 0, 3000)
	changing := 0
	for _, q := range questions() {
		want := idsOf(people, q.wanted)
		for name, size := range map[string]func() int{
			"the default": func() int { return 0 },
			"100":         func() int { return 100 },
			"changing sizes": func() int {
				changing++
				return []int{1, 100, 3, 47, 99}[changing%5]
			},
		} {
			got, sizes := r.walk(t, q, size)
			if !slices.Equal(got, want) {
				t.Errorf("%s in pages of %s: got %d people, want %d, or in another order", q.name, name, len(got), len(want))
			}
			full := slices.IndexFunc(sizes, func(n int) bool { return n == 0 })
			if full >= 0 && len(want) > 0 {
				t.Errorf("%s in pages of %s: page %d of %d is empty", q.name, name, full, len(sizes))
			}
			if name == "the default" && len(want) > 50 && sizes[0] != 50 {
				t.Errorf("a page has %d people by default", sizes[0])
			}
		}
	}
	r.walkSDK(t, people)
}

// walkSDK walks with the SDK, every field of a row asserted.
func (r *roll) walkSDK(t *testing.T, people []*person) {
	t.Helper()
	arn := r.stage.String()
	in := &sdk.ListParticipantsInput{StageArn: &arn, SessionId: &r.session, FilterByPublished: true, MaxResults: aws.Int32(90)}
	var got []types.ParticipantSummary
	for {
		out, err := r.ListParticipants(t.Context(), in)
		must(t, err)
		got = append(got, out.Participants...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	var want []types.ParticipantSummary
	for _, p := range people {
		state := types.ParticipantStateConnected
		if !p.connected {
			state = types.ParticipantStateDisconnected
		}
		if p.published {
			want = append(want, types.ParticipantSummary{
				ParticipantId: &p.entry.ParticipantID, UserId: &p.userID, State: state, Published: true,
				FirstJoinTime: &p.entry.JoinedAt, RecordingState: "DISABLED", ReplicationType: "NONE",
			})
		}
	}
	equal(t, "rows of who published", got, want)
}

func TestAWalkSeesWhoWasThereOnceWhateverHappensMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRoll(t)
	people := r.join(t, 0, 300)
	next := 300
	everyone, connected := questions()[0], questions()[1]
	meanwhile := func() int {
		r.join(t, next, next+10) // before the first page, too
		next += 10
		return 20
	}
	got, _ := r.walk(t, everyone, meanwhile)
	if n := len(got) - len(people); n != 10 || !slices.Equal(got[n:], idsOf(people, everyone.wanted)) {
		t.Errorf("a walk in which 10 joined before each page gives %d people, want those 10 of before and the %d of the beginning", len(got), len(people))
	}
	seen := map[string]bool{}
	leaving := func() int {
		i := slices.IndexFunc(people, func(p *person) bool { return p.connected })
		people[i].connected = false // the newest is the first to be read
		must(t, r.register.Record(t.Context(), people[i].entry, stage.Fact{Name: stage.Left}))
		return 7
	}
	got, _ = r.walk(t, connected, leaving)
	for _, id := range got {
		if seen[id] {
			t.Errorf("%s was listed twice", id)
		}
		seen[id] = true
	}
	for _, id := range idsOf(people, connected.wanted) {
		if !seen[id] {
			t.Errorf("%s was connected all the time but was not listed", id)
		}
	}
}

func TestAPageTokenIsGoodForItsOwnQuestionOnly(t *testing.T) {
	t.Parallel()
	r := newRoll(t)
	r.join(t, 0, 200)
	other := newRoll(t)
	other.join(t, 0, 200)
	token := func(q question) string {
		var p page
		must(t, json.Unmarshal([]byte(r.ask(t, q, 1, "").body), &p))
		if p.NextToken == nil {
			t.Fatalf("%s has one page only", q.name)
		}
		return *p.NextToken
	}
	refuse := func(what string, got answer) {
		t.Helper()
		if got.status != 400 || got.code() != "ValidationException" {
			t.Errorf("%s: got %d %s %s", what, got.status, got.code(), got.body)
		}
	}
	all := questions()[:7]
	for _, q := range all {
		for _, p := range all {
			if p.name != q.name {
				refuse(q.name+" with the token of "+p.name, r.ask(t, q, 1, token(p)))
			}
		}
		refuse(q.name+" in another place", other.ask(t, q, 1, token(q)))
		equal(t, "status of "+q.name+" with its own token", r.ask(t, q, 50, token(q)).status, 200)
	}
	good := token(all[0])
	for i := range good {
		flipped := []byte(good)
		if flipped[i]++; flipped[i] > 'z' || flipped[i] == '[' || flipped[i] == ':' {
			flipped[i] = 'A'
		}
		refuse(fmt.Sprintf("a token changed at %d", i), r.ask(t, all[0], 1, string(flipped)))
	}
	refuse("half a token", r.ask(t, all[0], 1, good[:len(good)/2]))
	refuse("a token of ListStageSessions' ", r.call(t, "ListStageSessions", fmt.Sprintf(`{"stageArn":"%s","nextToken":"%s"}`, r.stage, good)))
	equal(t, "an empty token", r.ask(t, all[0], 1, "").status, 200)
}
