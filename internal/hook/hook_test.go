package hook

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callboard/internal/stage"
)

func TestOfTwoProcessesWithOtherWebhooksTheOneWhoseTurnItIsDecides(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		open := func(url string) process {
			_, p := w.courier(Options{Transport: &receiver{}, URLs: []string{url}, Secrets: []string{NewSecret()}})
			return p
		}
		stored := func() (list []string) {
			w.check(w.store.View(t.Context(), func(tx stage.Tx) error {
				docs, err := tx.Documents(stage.DocumentQuery{Type: typeHook, Account: w.caller.Account, Region: w.caller.Region, Limit: 10})
				for _, d := range docs {
					h, err := hookOf(d)
					w.check(err)
					list = append(list, h.URL)
				}
				return err
			}))
			return list
		}
		first := open("http://127.0.0.1:1/a")
		time.Sleep(time.Minute)
		open("http://127.0.0.1:1/b")
		for range 100 {
			time.Sleep(700 * time.Millisecond)
			equal(t, "webhooks", stored(), []string{"http://127.0.0.1:1/a"})
		}
		first.stop()
		time.Sleep(time.Minute)
		equal(t, "webhooks after its turn", stored(), []string{"http://127.0.0.1:1/b"})
	})
}

func TestABodyHasTheShapeOfEventBridge(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)
	e := stage.Event{
		No: 7, At: at, Stage: stage.ARN{Region: "eu-west-1", Account: "123456789012", Type: stage.TypeStage, ID: "abc"},
		Session: 3, Participant: "p",
	}
	sc := scene{session: stage.Session{ID: "st-1", Ended: at.Add(-time.Second)}, userID: "zoë"}
	head := `{"version":"0","id":"ID","detail-type":"IVS Stage Update","source":"aws.ivs","account":"123456789012",` +
		`"time":"2026-03-04T05:06:07Z","region":"eu-west-1","resources":["arn:aws:ivs:eu-west-1:123456789012:stage/abc"],"detail":`
	ours := strings.NewReplacer("IVS Stage Update", "Callboard Stage Update", "aws.ivs", "callboard").Replace(head)
	when := `"event_time":"2026-03-04T05:06:07Z","event_time_precise":"2026-03-04T05:06:07.089000Z",`
	who := when + `"user_id":"zoë","participant_id":"p"`
	for name, want := range map[stage.EventName]string{
		stage.PublishStarted:   head + `{"session_id":"st-1","event_name":"Participant Published",` + who + `}}`,
		stage.PublishStopped:   head + `{"session_id":"st-1","event_name":"Participant Unpublished",` + who + `}}`,
		stage.PublishError:     head + `{"session_id":"st-1","event_name":"Participant Publish Error","event_time":"2026-03-04T05:06:07.089000000Z","user_id":"zoë","participant_id":"p","error_code":"BITRATE_EXCEEDED"}}`,
		stage.Joined:           ours + `{"session_id":"st-1","event_name":"Participant Joined",` + who + `}}`,
		stage.Left:             ours + `{"session_id":"st-1","event_name":"Participant Left",` + who + `}}`,
		stage.SubscribeStarted: ours + `{"session_id":"st-1","event_name":"Participant Subscribed",` + who + `,"remote_participant_id":"q"}}`,
		stage.SubscribeStopped: ours + `{"session_id":"st-1","event_name":"Participant Unsubscribed",` + who + `,"remote_participant_id":"q"}}`,
		stage.TokenExchanged:   ours + `{"session_id":"st-1","event_name":"Participant Token Exchanged",` + who + `}}`,
		stage.JoinError:        ours + `{"session_id":"st-1","event_name":"Participant Join Error",` + who + `,"error_code":"BITRATE_EXCEEDED"}}`,
		stage.SubscribeError:   ours + `{"session_id":"st-1","event_name":"Participant Subscribe Error",` + who + `,"remote_participant_id":"q","error_code":"BITRATE_EXCEEDED"}}`,
		stage.SessionStarted:   ours + `{"session_id":"st-1","event_name":"Session Started",` + strings.TrimSuffix(when, ",") + `}}`,
		stage.SessionEnded:     strings.ReplaceAll(ours+`{"session_id":"st-1","event_name":"Session Ended",`+strings.TrimSuffix(when, ",")+`}}`, ":07", ":06"),
	} {
		k, ok := kindOf(name)
		if !ok {
			t.Errorf("%s is told to nobody", name)
			continue
		}
		one := e
		one.Name = name
		if strings.HasPrefix(string(name), "SUBSCRIBE") {
			one.Remote = "q"
		}
		if strings.HasSuffix(string(name), "ERROR") {
			one.Error = stage.BitrateExceeded
		}
		if !k.person {
			one.Participant = ""
		}
		body, id, err := envelop([]byte("key"), k, one, sc)
		if got := strings.Replace(string(body), id, "ID", 1); err != nil || got != want {
			t.Errorf("%s (%v):\n got %s\nwant %s", name, err, got, want)
		}
	}
	if len(kinds) != 12 {
		t.Errorf("%d kinds of events are told, this test knows 12", len(kinds))
	}
}

func TestTheIDOfAnEventIsItsOwnForGood(t *testing.T) {
	t.Parallel()
	e := stage.Event{No: 1, At: time.UnixMilli(1), Name: stage.Joined}
	if id := eventID([]byte("key"), e); id != "dd60428c-1a25-8b77-adb9-97ddbb7f4b1d" {
		t.Errorf("the id is now %s", id)
	}
	seen := map[string]bool{}
	for _, other := range []stage.Event{e, {No: 2, At: e.At, Name: e.Name}, {No: 1, At: time.UnixMilli(2), Name: e.Name}, {No: 1, At: e.At, Name: stage.Left}} {
		seen[eventID([]byte("key"), other)] = true
	}
	seen[eventID([]byte("other"), e)] = true
	if len(seen) != 5 {
		t.Errorf("five events have %d ids", len(seen))
	}
}

func TestTheSignatureIsThatOfTheSpecification(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	// The example of the reference libraries.
	err := sign(h, []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got := h.Get("webhook-signature"); err != nil || got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("%s: %v", got, err)
	}
}

func TestARotatedSecretSignsBesideTheOneBeforeUntilThatIsRetired(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := &receiver{}
		c, _ := w.courier(Options{Transport: r})
		h, first := w.hook(c, NewHook{Events: []string{"Participant Joined"}})
		arn := w.stage()
		secrets := []string{first}
		change := func(ch Change) {
			t.Helper()
			_, made, err := c.Change(t.Context(), w.caller, h.ARN.ID, ch)
			w.check(err)
			if made != "" {
				secrets = append(secrets, made)
			}
			time.Sleep(time.Second) // of the bubble: what happens meanwhile may still be told as before
		}
		holds := func() (list []bool) {
			w.join(arn)
			time.Sleep(time.Second)
			all := r.attempts()
			g := all[len(all)-1]
			for _, secret := range secrets {
				list = append(list, verify(secret, g.header, g.body, g.at) == nil)
			}
			return list
		}
		fresh, mine := "", NewSecret()
		equal(t, "at first", holds(), []bool{true})
		change(Change{Secret: &fresh})
		equal(t, "rotated", holds(), []bool{true, true})
		change(Change{Secret: &mine})
		equal(t, "rotated once more", holds(), []bool{false, true, true})
		change(Change{Retire: true})
		equal(t, "retired", holds(), []bool{false, false, true})
	})
}

func TestAHookIsToldOfWhatItAsksForInItsAccountAndRegion(t *testing.T) {
	t.Parallel()
	arn := func(region, account, id string) stage.ARN {
		return stage.ARN{Region: region, Account: account, Type: stage.TypeStage, ID: id}
	}
	own := stage.ARN{Region: "a", Account: "1", Type: typeHook, ID: "h"}
	for _, one := range []struct {
		hook Hook
		want string
	}{
		{Hook{ARN: own}, "x left, y joined"},
		{Hook{ARN: own, Events: []string{"Participant Left"}}, "x left"},
		{Hook{ARN: own, Stages: []stage.ARN{arn("a", "1", "y")}}, "y joined"},
		{Hook{ARN: own, Configured: true}, "x left, y joined, other region, other account"},
	} {
		var got []string
		for _, e := range []struct {
			what string
			stage.Event
		}{
			{"x left", stage.Event{Name: stage.Left, Stage: arn("a", "1", "x")}},
			{"y joined", stage.Event{Name: stage.Joined, Stage: arn("a", "1", "y")}},
			{"other region", stage.Event{Name: stage.Joined, Stage: arn("b", "1", "x")}},
			{"other account", stage.Event{Name: stage.Joined, Stage: arn("a", "2", "x")}},
			{"unheard of", stage.Event{Name: "X", Stage: arn("a", "1", "x")}},
		} {
			if one.hook.wants(e.Event) {
				got = append(got, e.what)
			}
		}
		if strings.Join(got, ", ") != one.want {
			t.Errorf("%+v gets %q, not %s", one.hook, got, one.want)
		}
	}
}

func TestHooksThatMakeNoSenseAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c, _ := w.courier(Options{Transport: &receiver{}, Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}})
		for _, n := range []NewHook{
			{URL: ""}, {URL: "ftp://a.example/"}, {URL: "https://"}, {URL: "https://user:pw@a.example"}, {URL: "https://a.example/#x"},
			{URL: "https://a.example:0"}, {URL: "https://a.example:99999"}, {URL: "https://a.example/\n"}, {URL: "https://" + strings.Repeat("a", 2050)},
			{URL: "http://127.0.0.1/"}, {URL: "http://[::1]:80/"}, {URL: "http://169.254.169.254/latest"}, {URL: "http://[::ffff:10.0.0.1]"}, {URL: "http://10.2.0.1"},
			{URL: "https://a.example", Name: "no spaces"}, {URL: "https://a.example", Events: []string{"Nothing"}},
			{URL: "https://a.example", Events: []string{"Session Ended", "Session Ended"}},
			{URL: "https://a.example", Stages: []stage.ARN{{Region: "us-east-1", Account: "999999999999", Type: "stage", ID: "x"}}},
			{URL: "https://a.example", Secret: "whsec_short"}, {URL: "https://a.example", Secret: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
		} {
			if _, _, err := c.Create(t.Context(), w.caller, n); stage.KindOf(err) != stage.Invalid {
				t.Errorf("%+v: %v", n, err)
			}
		}
		for _, good := range []string{"http://10.1.2.3:8080/x?y=z", "https://8.8.8.8", "https://[2600::1]/"} {
			h, _ := w.hook(c, NewHook{URL: good})
			if h.Disabled || h.Created.IsZero() {
				t.Errorf("%s: %+v", good, h)
			}
		}
	})
}

func TestHooksAreKeptListedChangedAndDeletedByTheirOwner(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c, p := w.courier(Options{Transport: &receiver{}, URLs: []string{"http://127.0.0.1:1/own"}, Secrets: []string{NewSecret()}})
		var want []string
		for _, name := range []string{"a", "b", "c"} {
			h, _ := w.hook(c, NewHook{Name: name})
			want = append(want, h.ARN.ID)
		}
		time.Sleep(time.Minute)
		p.stop()
		c, _ = w.courier(Options{Transport: &receiver{}, URLs: []string{"http://127.0.0.1:1/own"}, Secrets: []string{NewSecret()}})
		time.Sleep(time.Minute)
		var found []string
		configured := ""
		for at, more := int64(0), true; more; more = at != 0 {
			page, next, err := c.Hooks(t.Context(), w.caller, stage.Page{After: at, Limit: 2})
			w.check(err)
			for _, h := range page {
				if at = next; h.Configured {
					configured = h.ARN.ID
				} else {
					found = append(found, h.ARN.ID)
				}
			}
		}
		equal(t, "hooks", found, want)
		if configured == "" {
			t.Error("the hook of the configuration is not listed")
		}
		stranger := stage.Caller{Account: "999999999999", Region: w.caller.Region}
		_, err1 := c.Hook(t.Context(), stranger, want[0])
		err2 := c.Delete(t.Context(), stranger, want[0])
		_, _, err3 := c.Change(t.Context(), stranger, want[0], Change{})
		for _, err := range []error{err1, err2, err3} {
			if stage.KindOf(err) != stage.NotFound {
				t.Errorf("a stranger got %v", err)
			}
		}
		if err := c.Delete(t.Context(), w.caller, configured); stage.KindOf(err) != stage.Conflict {
			t.Errorf("the hook of the configuration: %v", err)
		}
		name := "other"
		h, _, err := c.Change(t.Context(), w.caller, want[1], Change{Name: &name})
		w.check(err)
		if h.Name != name || h.URL != "https://receiver.example.com/hook" {
			t.Errorf("changed into %+v", h)
		}
		w.check(c.Delete(t.Context(), w.caller, want[1]))
		if _, err := c.Hook(t.Context(), w.caller, want[1]); stage.KindOf(err) != stage.NotFound {
			t.Errorf("after deletion: %v", err)
		}
		third, p3 := w.courier(Options{Transport: &receiver{}})
		p3.stop()
		list, err := third.all(t.Context())
		w.check(err)
		if slices.ContainsFunc(list, func(s served) bool { return s.hook.ARN.ID == want[1] }) {
			t.Error("its cursor is still there")
		}
	})
}

// The network itself: no bubble.
func TestHooksOfTheAPIReachNoAddressThatIsNotOfTheInternet(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		}
		w.Write(make([]byte, 1<<20)) // more than anybody reads
	}))
	defer server.Close()
	named := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // a name is judged by what it resolves to
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, one := range []struct {
		url        string
		networks   []netip.Prefix
		configured bool
		want       outcome
		reached    int64
	}{
		{named, nil, false, outcome{reason: errInner.Error()}, 0},
		{named, loopback, false, outcome{delivered: true}, 1},
		{named, nil, true, outcome{delivered: true}, 1},
		{named + "/moved", nil, true, outcome{reason: "status 307"}, 1},
	} {
		reached.Store(0)
		c := &Courier{guard: guard{one.networks}, o: Options{Timeout: 10 * time.Second, Now: time.Now}}
		c.open, c.guarded = client(transport(nil)), client(transport(&c.guard))
		h := Hook{URL: one.url, Configured: one.configured, secrets: []string{NewSecret()}}
		if got := c.post(t.Context(), &h, 1, "id", []byte("{}")); got != one.want || reached.Load() != one.reached {
			t.Errorf("%+v: %+v, reached %d times", one, got, reached.Load())
		}
		c.open.CloseIdleConnections()
		c.guarded.CloseIdleConnections()
	}
}

func TestWhoDoesNotAnswerInTimeIsTriedAgain(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-free }))
	defer server.Close()
	defer close(free)
	c := &Courier{o: Options{Timeout: 50 * time.Millisecond, Now: time.Now}, open: client(transport(nil))}
	h := Hook{URL: server.URL, Configured: true, secrets: []string{NewSecret()}}
	if got := c.post(t.Context(), &h, 1, "id", []byte("{}")); got != (outcome{reason: "no answer in time"}) {
		t.Errorf("%+v", got)
	}
}

func TestALogNeverHasTheSecretOrTheURLOfAHook(t *testing.T) {
	t.Parallel()
	h := Hook{ARN: stage.ARN{Region: "a", Account: "1", Type: typeHook, ID: "h"}, URL: "https://a.example/secret-path", secrets: []string{"whsec_x"}}
	if got := h.LogValue().String(); got != h.ARN.String() {
		t.Errorf("logged as %s", got)
	}
	body, err := json.Marshal(h)
	if err != nil || strings.Contains(string(body), "whsec") {
		t.Errorf("%s, %v", body, err)
	}
	if text := unreachable(errors.New(strings.Repeat("x", 1000))); len(text) != 200 {
		t.Errorf("a reason has %d characters", len(text))
	}
}

func FuzzURLOfAHook(f *testing.F) {
	for _, text := range []string{"https://a.example/x?y", "http://127.0.0.1:80", "http://[::1%25eth0]/", "https://0x7f.1/", "http://[::ffff:1.2.3.4]", "https://a:0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if CheckURL(text) != nil || (guard{}).checkHost(text) != nil {
			return
		}
		r, err := http.NewRequest(http.MethodPost, text, nil)
		if err != nil || r.URL.Host == "" || len(text) > maxURL || r.URL.User != nil {
			t.Fatalf("%q was taken: %v", text, err)
		}
		if ip, err := netip.ParseAddr(r.URL.Hostname()); err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()) {
			t.Fatalf("%q was taken", text)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Wed, 21 Oct 2026 07:28:00 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		if d := retryAfter(text, time.Now()); d < 0 || d > maxAfter {
			t.Fatalf("%q is %v", text, d)
		}
	})
}
