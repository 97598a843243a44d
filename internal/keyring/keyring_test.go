package keyring

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ivs:*","Resource":"*"}]}`

// newKey is a key with a managed policy and one of its own.
func newKey(t testing.TB) Key {
	t.Helper()
	k, err := New(Key{Account: "123456789012", Policies: []Policy{
		{Name: "IVSReadOnlyAccess"}, {Name: "mine", Document: json.RawMessage(allowAll)},
	}}, noon, false)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "data", "keys.json") }

// put adds keys to a file.
func put(t testing.TB, path string, keys ...Key) {
	t.Helper()
	err := Change(t.Context(), path, noon, func(old []Key) ([]Key, error) { return append(old, keys...), nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeysAreReadBackAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	long := newKey(t)
	temporary, err := New(Key{Account: "000000000001", Name: "guest", Expires: noon.Add(time.Hour)}, noon, true)
	if err != nil {
		t.Fatal(err)
	}
	gone := newKey(t)
	gone.Revoke(noon)
	gone.Successor = long.ID
	want := []Key{long, temporary, gone}
	put(t, path, want...)
	got, err := Read(path)
	if err != nil || len(got) != len(want) {
		t.Fatalf("read %d keys, %v", len(got), err)
	}
	for i := range want {
		a, b := compact(t, want[i]), compact(t, got[i])
		if !reflect.DeepEqual(a, b) {
			t.Errorf("key %d is another one", i)
		}
		if len(got[i].Rights()) != len(want[i].Policies) {
			t.Errorf("key %d has %d policies", i, len(got[i].Rights()))
		}
	}
	if len(got[0].ID) != 20 || len(got[0].Secret) != 40 || got[0].ARN() != "arn:aws:iam::123456789012:user/callboard" {
		t.Errorf("a new key is %s of %s", got[0].ID, got[0].ARN())
	}
	if !strings.HasPrefix(got[1].ID, "ASIA") || got[1].SessionToken == "" || got[1].ARN() != "arn:aws:sts::000000000001:federated-user/guest" {
		t.Errorf("temporary credentials are %s of %s", got[1].ID, got[1].ARN())
	}
}

// compact is a key without what may look different and mean the same.
func compact(t *testing.T, k Key) Key {
	t.Helper()
	k.rights = nil
	k.Policies = append([]Policy(nil), k.Policies...)
	for i, p := range k.Policies {
		if p.Document != nil {
			var b bytes.Buffer
			if err := json.Compact(&b, p.Document); err != nil {
				t.Fatal(err)
			}
			k.Policies[i].Document = b.Bytes()
		}
	}
	return k
}

// The policies are within the bounds, but would not be with a line for each value or
// an escape for each <.
func TestAPolicyThatIsRightCanBeKept(t *testing.T) {
	t.Parallel()
	numbers := strings.TrimSuffix(strings.Repeat("1,", 2900), ",")
	for _, condition := range []string{
		`{"NumericEquals":{"aws:EpochTime":[` + numbers + `]}}`,
		`{"StringEquals":{"aws:username":"` + strings.Repeat("<&>", 1900) + `"}}`,
	} {
		document := `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":` + condition + `}}`
		k, err := New(Key{Account: "123456789012", Policies: []Policy{{Name: "long", Document: json.RawMessage(document)}}}, noon, false)
		if err != nil {
			t.Fatal(err)
		}
		path := newPath(t)
		put(t, path, k)
		keys, err := Read(path)
		if err != nil || string(keys[0].Policies[0].Document) != document {
			t.Errorf("with %.60s it is read as another one, %v", condition, err)
		}
	}
}

func TestWhatCouldNotBeReadIsNotWritten(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	k := newKey(t)
	put(t, path, k)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func(*Key){
		func(*Key) {}, // the id is there twice
		func(k *Key) { k.ID, k.Account = "AKIABBBBBBBBBBBBBBBB", "12" },
		func(k *Key) {
			k.ID, k.Policies = "AKIABBBBBBBBBBBBBBBB", []Policy{{Name: "p", Document: json.RawMessage(`{}`)}}
		},
	} {
		bad := k
		spoil(&bad)
		err := Change(t.Context(), path, noon, func(keys []Key) ([]Key, error) { return append(keys, bad), nil })
		if err == nil || strings.Contains(err.Error(), k.Secret) {
			t.Errorf("%s is written: %v", bad, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the file has changed, %v", err)
		}
	}
}

func TestTheFileIsForPeopleAndADocumentInItALine(t *testing.T) {
	t.Parallel()
	k := Key{ID: "AKIAAAAAAAAAAAAAAAAA", Secret: "a-secret-for-{tests}", Account: "123456789012", Name: "ann", Policies: []Policy{
		{Name: "IVSReadOnlyAccess"}, {Name: "own", Document: json.RawMessage(`{ "Statement": ["a\\\"]", "<,"] }`)},
	}}
	bare := Key{ID: "AKIABBBBBBBBBBBBBBBB", Account: "123456789012", Name: "bob", Revoked: noon}
	got, err := format([]Key{k, bare})
	const want = `{
  "version": 1,
  "keys": [
    {
      "accessKeyId": "AKIAAAAAAAAAAAAAAAAA",
      "secretAccessKey": "a-secret-for-{tests}",
      "account": "123456789012",
      "name": "ann",
      "policies": [
        "IVSReadOnlyAccess",
        {"name":"own","document":{"Statement":["a\\\"]","<,"]}}
      ]
    },
    {
      "accessKeyId": "AKIABBBBBBBBBBBBBBBB",
      "account": "123456789012",
      "name": "bob",
      "policies": [],
      "revoked": "2026-01-02T12:00:00Z"
    }
  ]
}
`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestOnlyTheOwnerCanReadTheFile(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	put(t, path, newKey(t))
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700, path + ".lock": 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s is %v, %v", name, info, err)
		}
	}
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing here")
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{Path: path})
		if err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("with mode %v: %v", mode, err)
		}
	}
}

func TestRootGivesTheFileToTheOwnerOfItsDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can")
	}
	path := newPath(t)
	const owner = 12345
	dir := filepath.Dir(path)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, owner, owner)); err != nil {
		t.Fatal(err)
	}
	put(t, path, newKey(t))
	for _, name := range []string{path, path + ".lock"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if uid := reflect.Indirect(reflect.ValueOf(info.Sys())).FieldByName("Uid").Uint(); uid != owner {
			t.Errorf("%s belongs to %d", name, uid)
		}
	}
}

func TestCommandsAtTheSameMomentLoseNoChange(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	const commands = 20
	var wg sync.WaitGroup
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := Read(path); err != nil {
				t.Errorf("a reader met half a file: %v", err)
				return
			}
		}
	})
	for range commands {
		wg.Go(func() { put(t, path, newKey(t)) })
	}
	wg.Wait()
	close(done)
	reader.Wait()
	keys, err := Read(path)
	if err != nil || len(keys) != commands {
		t.Errorf("%d keys are there, %v", len(keys), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 2 {
		t.Errorf("%v are left (%v), want the file and its lock", left, err)
	}
}

func TestAChangeThatFailsLeavesTheFileAsItWas(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	put(t, path, newKey(t))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	err = Change(t.Context(), path, noon, func([]Key) ([]Key, error) { return nil, no })
	if !errors.Is(err, no) {
		t.Errorf("the error is %v", err)
	}
	err = Change(t.Context(), path, noon, func(keys []Key) ([]Key, error) {
		for range maxKeys {
			keys = append(keys, keys[0])
		}
		return keys, nil
	})
	if !errors.Is(err, errFull) {
		t.Errorf("more keys than there may be: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed, %v", err)
	}
}

func TestWhoFindsTheFileLockedWaitsAndGivesUp(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	put(t, path)
	unlock, err := lock(t.Context(), path+".lock")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = Change(ctx, path, noon, func(k []Key) ([]Key, error) { return k, nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with the lock taken: %v", err)
	}
	unlock()
	put(t, path)
}

func TestKeysThatEndedLongAgoAreForgotten(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	active, revoked, temporary := newKey(t), newKey(t), newKey(t)
	revoked.Revoke(noon)
	temporary.SessionToken, temporary.Expires = "token", noon
	put(t, path, active, revoked, temporary)
	left := func(at time.Time) (ids []string) {
		t.Helper()
		if err := Change(t.Context(), path, at, func(k []Key) ([]Key, error) { return k, nil }); err != nil {
			t.Fatal(err)
		}
		keys, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			ids = append(ids, k.ID)
		}
		return ids
	}
	for _, c := range []struct {
		after time.Duration
		want  []string
	}{
		{time.Hour, []string{active.ID, revoked.ID, temporary.ID}},
		{keepTemporary + time.Second, []string{active.ID, revoked.ID}},
		{keepEnded + time.Second, []string{active.ID}},
	} {
		if got := left(noon.Add(c.after)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("after %v: %v, want %v", c.after, got, c.want)
		}
	}
}

// crowd is n keys, made from one without the cost of new ones.
func crowd(n int, like Key, prefix string) []Key {
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = like
		keys[i].ID = fmt.Sprintf("%s%012d", prefix, i)
	}
	return keys
}

func TestOnlyKeysThatWorkFillTheFile(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	active := Key{Secret: "a-secret-for-tests", Account: "123456789012", Name: "a"}
	temporary, expired, revoked := active, active, active
	temporary.SessionToken, temporary.Expires = "token", noon.Add(-time.Minute)
	expired.Expires = noon.Add(-time.Hour)
	revoked.Revoke(noon.Add(-2 * time.Hour))
	all := append(crowd(1, revoked, "AKIAREVO"), crowd(2, expired, "AKIAEXPI")...)
	all[1].Expires = noon.Add(-time.Second)
	guests := crowd(3, temporary, "ASIATEMP")
	guests[0].Expires = noon
	all = append(append(all, guests...), crowd(maxKeys-6, active, "AKIALIVE")...)
	put(t, path, all...)
	for i, want := range []string{guests[1].ID, guests[2].ID, guests[0].ID, all[0].ID, all[2].ID, all[1].ID} {
		more := crowd(1, active, "AKIAMORE")
		more[0].ID = fmt.Sprintf("AKIAMORE%012d", i)
		put(t, path, more...)
		keys, err := Read(path)
		if err != nil || len(keys) != maxKeys || keys[maxKeys-1].ID != more[0].ID {
			t.Fatalf("%d keys are there, %v", len(keys), err)
		}
		if slices.ContainsFunc(keys, func(k Key) bool { return k.ID == want }) || keys[0].ID != all[0].ID && i < 3 {
			t.Errorf("change %d has forgotten another one than %s", i, want)
		}
	}
	err := Change(t.Context(), path, noon, func(keys []Key) ([]Key, error) { return append(keys, crowd(1, active, "AKIATOOM")...), nil })
	if !errors.Is(err, errFull) {
		t.Errorf("one more key that works: %v", err)
	}
}

func TestEndedKeysGiveTheirBytesToOthers(t *testing.T) {
	t.Parallel()
	document := strings.Replace(allowAll, `"*"`, `"arn:aws:ivs:*:*:stage/`+strings.Repeat("🎤", 5900)+`"`, 1) // 24 KB
	guest := Key{Secret: "a-secret-for-tests", SessionToken: "token", Account: "123456789012", Name: "a", Expires: noon, Policies: []Policy{{Name: "long", Document: json.RawMessage(document)}}}
	next := guest
	next.Expires = noon.Add(time.Hour)
	data, err := fit(append(crowd(150, guest, "ASIATEMP"), crowd(80, next, "ASIANEXT")...), noon)
	old, young := bytes.Count(data, []byte(`"ASIATEMP`)), bytes.Count(data, []byte(`"ASIANEXT`))
	if err != nil || old < 80 || old == 150 || young != 80 {
		t.Errorf("%d keys that have ended and %d others are there, %v", old, young, err)
	}
	if _, err = fit(crowd(180, next, "ASIANEXT"), noon); !errors.Is(err, errTooLong) {
		t.Errorf("more than there is room for: %v", err)
	}
}

func TestASuccessorHasTheSameRightsAndAsLongALife(t *testing.T) {
	t.Parallel()
	old := newKey(t)
	old.Expires = noon.Add(48 * time.Hour)
	now := noon.Add(12 * time.Hour)
	next, err := old.Rotate(now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if next.ID == old.ID || next.Secret == old.Secret || next.ARN() != old.ARN() || len(next.Rights()) != 2 {
		t.Errorf("the successor of %s is %s with %d policies", old, next, len(next.Rights()))
	}
	if !next.Expires.Equal(now.Add(48*time.Hour)) || !old.Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("the successor ends at %v, the old one at %v", next.Expires, old.Expires)
	}
	again, err := old.Rotate(now, 24*time.Hour)
	if err != nil || !old.Expires.Equal(now.Add(time.Hour)) || !again.Expires.Equal(now.Add(now.Add(time.Hour).Sub(noon))) {
		t.Errorf("a grace makes a life longer: %v, %v", old.Expires, err)
	}
	if _, err := old.Rotate(now.Add(time.Hour), 0); err == nil {
		t.Error("an expired key has a successor")
	}
	old.Revoke(now)
	if _, err := old.Rotate(now, 0); err == nil {
		t.Error("a revoked key has a successor")
	}
}

func TestASuccessorOfAKeyOfUnknownAgeEndsWhenThatHadTo(t *testing.T) {
	t.Parallel()
	old, end := newKey(t), noon.Add(48*time.Hour)
	old.Created, old.Expires = time.Time{}, end
	next, err := old.Rotate(noon, time.Hour)
	if err != nil || !next.Expires.Equal(end) || !old.Expires.Equal(noon.Add(time.Hour)) {
		t.Errorf("the successor ends at %v, the old one at %v, %v", next.Expires, old.Expires, err)
	}
}

func TestARunningBookNoticesChangesOfItsFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		b, err := Open(Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		k := newKey(t)
		if b.Find(k.ID) != nil {
			t.Error("a key is there before it was made")
		}
		put(t, path, k)
		if got := b.Find(k.ID); got == nil || got.Secret != k.Secret {
			t.Errorf("a new key is not there at once: %v", got)
		}
		change := func(f func(*Key)) {
			err := Change(t.Context(), path, noon, func(keys []Key) ([]Key, error) { f(&keys[0]); return keys, nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		change(func(k *Key) { k.Revoke(noon) })
		if state := b.Find(k.ID).State(noon); state != "active" {
			t.Errorf("the file is looked at for every request: %s", state)
		}
		time.Sleep(lookInterval)
		if state := b.Find(k.ID).State(noon); state != "revoked" {
			t.Errorf("a revoked key is %s", state)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookInterval)
		if b.Find(k.ID) != nil {
			t.Error("a key outlives its file")
		}
	})
}

// Where only the root pair is used nobody asks the book for a key.
func TestABadFileIsReportedWhenNoKeyIsAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		put(t, path)
		var log bytes.Buffer
		b, err := Open(Options{Path: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.Refresh()
		if log.Len() > 0 {
			t.Errorf("the file is looked at for every request: %s", &log)
		}
		for range 3 {
			time.Sleep(lookInterval)
			b.Refresh()
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "line 1") {
			t.Errorf("%d errors are logged: %s", n, &log)
		}
	})
}

func TestABookKeepsWhatItKnewWhenItsFileBecomesBad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		k, next := newKey(t), newKey(t)
		put(t, path, k)
		var log bytes.Buffer
		b, err := Open(Options{Path: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"", "{", `{"version":1,"keys":[{"accessKeyId":"` + k.ID + `","secretAccessKey":"` + k.Secret + `"}]}`} {
			log.Reset()
			if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				time.Sleep(lookInterval)
				if got := b.Find(k.ID); got == nil || got.Secret != k.Secret {
					t.Fatalf("with %q in the file the key is gone", bad)
				}
				b.Find("AKIAUNKNOWN")
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "line 1") {
				t.Errorf("%d errors are logged: %s", n, &log)
			}
			if strings.Contains(log.String(), k.Secret) {
				t.Errorf("the log shows a secret: %s", &log)
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		put(t, path, next)
		if b.Find(next.ID) == nil || b.Find(k.ID) == nil {
			t.Error("the file is good again and not in force")
		}
	})
}

func TestAddedKeysStayInABookWhateverItsFileSays(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", newPath(t)} {
		b, err := Open(Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		added := Key{ID: "AKIASEEDSEEDSEEDSEED", Secret: "a-secret-for-tests", Account: "123456789012", Name: "seed", Policies: []Policy{{Name: "IVSReadOnlyAccess"}}}
		if err := b.Add(added); err != nil {
			t.Fatal(err)
		}
		if err := b.Add(added); err == nil {
			t.Error("the same id is taken twice")
		}
		if err := b.Add(Key{ID: "AKIA"}); err == nil {
			t.Error("a key that is not right is added")
		}
		if path != "" {
			put(t, path, newKey(t))
			b.Find("AKIAUNKNOWN") // makes it look
		}
		if got := b.Find(added.ID); got == nil || len(got.Rights()) != 1 {
			t.Errorf("with file %q the added key is %v", path, got)
		}
	}
}

func TestNoWayOfPrintingAKeyShowsItsSecrets(t *testing.T) {
	t.Parallel()
	k, err := New(Key{Account: "123456789012", Expires: noon.Add(time.Hour)}, noon, true)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k, "pointer", &k)
	shown := log.String() + fmt.Sprintf("%v %+v %#v %s %v %#v %q", k, k, k, k, &k, &k, []Key{k})
	if strings.Contains(shown, k.Secret) || strings.Contains(shown, k.SessionToken) || !strings.Contains(shown, k.ID) {
		t.Errorf("it shows %s", shown)
	}
}

func TestABadFileIsToldWithLineAndReason(t *testing.T) {
	t.Parallel()
	const head = "{\n\"version\": 1,\n\"keys\": [\n"
	key := func(members string) string {
		return head + "{\"accessKeyId\": \"AKIAAAAAAAAAAAAAAAAA\", \"secretAccessKey\": \"a-secret-for-tests\",\n" + members + "\n}]}"
	}
	for text, want := range map[string]string{
		"":                                  "line 1: this is not JSON",
		"{\n\"version\": 1,\n]":             "line 3: this is not JSON",
		"[]":                                "line 1: a file of keys is a JSON object",
		"{}":                                "line 1: the member version is missing",
		`{"version": 2}`:                    "line 1: version is 2, and this callboard knows only 1",
		"{\"version\": 1,\n\"key\": []}":    `line 2: there is no member "key"`,
		"{\"version\": 1,\n\"keys\": {}}":   "line 2: keys must be a list",
		"{\"version\": 1, \"keys\": [\n7]}": "line 2: a number does not belong here",
		head + "{}]}":                       "line 4: accessKeyId must be 16 to 128",
		head + `{"accessKeyId":"123456789012345678"}]}`:                            "line 4: accessKeyId must be 16 to 128",
		head + `{"accessKeyId":"AKIAAAAAAAAAAAAAAAAA"}]}`:                          "line 4: secretAccessKey must be",
		key(`"account": "1"`):                                                      "line 4: account must be 12 digits",
		key(`"account": 123456789012`):                                             "line 5: account must not be a number",
		key(`"acount": "123456789012"`):                                            `line 4: unknown field "acount"`,
		key(`"account": "123456789012"`):                                           "line 4: name must be",
		key(`"account": "123456789012", "name": "a b"`):                            "line 4: name must be",
		key(`"account": "123456789012", "name": "a", "sessionToken": "t"`):         "line 4: a key with a sessionToken must have expires",
		key(`"account": "123456789012", "name": "a", "policies": ["Nope"]`):        `line 4: there is no managed policy Nope`,
		key(`"account": "123456789012", "name": "a", "policies": [{"name": "p"}]`): "line 4: a policy must be the name of a managed policy",
		key("\"account\": \"123456789012\", \"name\": \"a\", \"policies\": [\n{\"name\": \"p\", \"document\":\n {}}]"):                                         `line 7: policy p, line 1: the policy has no Statement`,
		key(`"account": "123456789012", "name": "a", "successor": "\u001b[31m"`):                                                                               "line 4: successor must be",
		key(`"account": "123456789012", "name": "a", "expires": "soon"`):                                                                                       "line 4: ",
		key(`"account": "123456789012", "name": "a"`) + "{}":                                                                                                   "this is not JSON",
		strings.Replace(key(`"account": "123456789012", "name": "a"`), "]}", ",\n"+strings.TrimPrefix(key(`"account": "123456789012", "name": "a"`), head), 1): "line 7: access key AKIAAAAAAAAAAAAAAAAA is there twice",
	} {
		_, err := parse("keys.json", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), "keys.json, line ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "a-secret") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
	if keys, err := parse("keys.json", []byte(key(`"account": "123456789012", "name": "a"`))); err != nil || len(keys) != 1 {
		t.Errorf("a key with nothing but what is needed: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	k := newKey(f)
	data, err := format([]Key{k})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"keys":[]}`))
	f.Add([]byte(`{"keys":[{"accessKeyId":7}],"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parse("keys.json", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "keys.json, line ") {
				t.Errorf("the error names no line: %v", err)
			}
			return
		}
		text, err := format(keys)
		if err != nil {
			t.Skip(err) // indented it is too long
		}
		again, err := parse("keys.json", text)
		if err != nil || len(again) != len(keys) {
			t.Fatalf("what was written is not read: %v", err)
		}
		for i := range keys {
			if !reflect.DeepEqual(compact(t, keys[i]), compact(t, again[i])) {
				t.Errorf("key %d has changed", i)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	path := newPath(b)
	var keys []Key
	for range 100 {
		keys = append(keys, newKey(b))
	}
	put(b, path, keys...)
	book, err := Open(Options{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	for name, id := range map[string]string{"known": keys[50].ID, "unknown": "AKIAUNKNOWN"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				book.Find(id)
			}
		})
	}
}
