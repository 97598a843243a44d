package api

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"callboard/internal/stage"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// trial is a world that is asked random things, an oracle that knows what must
// be answered, and an eye on all that is stored.
type trial struct {
	*world
	oracle  *oracle
	draw    *generator
	eye     *eye
	counted map[string]int // answers by operation and code
}

func newTrial(t testing.TB, seed uint64) *trial {
	t.Helper()
	path := filepath.Join(t.TempDir(), "facts.db")
	m := readModel(t)
	x := &trial{
		world: newWorldAt(t, path), oracle: &oracle{model: m}, counted: map[string]int{},
		draw: &generator{model: m, Rand: rand.New(rand.NewPCG(seed, 2)), pool: map[string][]string{}},
	}
	x.eye = newEye(t, path, x.facts)
	arn := x.newStage()
	entry := x.join(arn, "ann")
	x.meet("StageSessionId", entry.SessionID)
	for _, shape := range []string{"ParticipantId", "ParticipantTokenId"} {
		x.meet(shape, entry.ParticipantID)
	}
	x.meet("StageArn", arn.String())
	x.meet("ResourceArn", arn.String())
	x.meet("CompositionArn", strings.Replace(arn.String(), ":stage/", ":composition/", 1)) // nothing is known of others' accounts
	x.meet("PublicKeyMaterial", testPEM)
	return x
}

// meet puts something that exists where the generator finds it.
func (x *trial) meet(shape, value string) {
	if known := x.draw.pool[shape]; !slices.Contains(known, value) {
		if len(known) == 8 { // the first one stays
			known = slices.Delete(known, 1, 2)
		}
		x.draw.pool[shape] = append(known, value)
	}
}

// TestRandomRequestsAreAnsweredAsTheModelDemands asks random things, within the
// constraints of the model and just outside, and compares each answer with what
// an independent reading of the model demands. Whatever is refused must leave
// everything that is stored as it was.
func TestRandomRequestsAreAnsweredAsTheModelDemands(t *testing.T) {
	t.Parallel()
	counted := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		var mu sync.Mutex
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				x := newTrial(t, seed)
				x.run(50)
				mu.Lock()
				defer mu.Unlock()
				for what, n := range x.counted {
					counted[what] += n
				}
			})
		}
	})
	for _, op := range table() {
		success := ""
		if op.output == nil {
			success = "OperationNotSupportedException"
		}
		for _, code := range []string{success, validation} {
			if op.input != nil && counted[op.name+" "+code] == 0 {
				t.Errorf("%s never answered %q, so this proves little", op.name, code)
			}
		}
	}
}

// FuzzRequests is the same with seeds of the fuzzer's choice. The world goes on
// from one to the next: a new one for each would take too long.
func FuzzRequests(f *testing.F) {
	f.Add(uint64(1))
	f.Add(uint64(1 << 40))
	x := newTrial(f, 0)
	f.Fuzz(func(t *testing.T, seed uint64) {
		x.t, x.draw.Rand = t, rand.New(rand.NewPCG(seed, 2))
		x.run(1)
	})
}

// FuzzBody has the fuzzer write the body itself.
func FuzzBody(f *testing.F) {
	for i, body := range []string{
		`{}`, `{"name":"a","tags":{"a":"b"}}`, `{"arn":"` + testStage + `"}`, `{"stageArn":1}`, `[`, `{"capabilities":[null]}`, `{"maxResults":1e3}`,
		"{\"userId\":\"\\ud800\xff\"}", `{"name":"a","name":1}`, `{"tags":{"a":"b","a":null}}`, ` {"video":{"framerate":1e999}}`, `{"maxResults":-0}`,
	} {
		f.Add(uint8(i), body, testStage, "tagKeys=a&tagKeys=")
	}
	x, operations := newTrial(f, 0), table()
	f.Fuzz(func(t *testing.T, n uint8, body, resource, query string) {
		op := operations[int(n)%len(operations)]
		values, err := url.ParseQuery(query)
		if op.input == nil || err != nil {
			return
		}
		x.t = t
		x.ask(op, resource, values, body)
	})
}

// run asks each operation n times.
func (x *trial) run(n int) {
	for range n {
		for _, op := range table() {
			if op.input != nil {
				x.askAtRandom(op)
			}
		}
	}
}

func (x *trial) askAtRandom(op operation) {
	x.t.Helper()
	members := x.draw.input(op.name)
	if home := x.draw.pool["StageArn"][0]; op.name == "DeleteStage" && members["arn"] == home {
		members["arn"] = testStage // who is at home stays there
	}
	resource, query := "", url.Values{}
	for name, ref := range x.oracle.Shapes[x.oracle.Operations[op.name].Input.Shape].Members {
		value := members[name]
		switch ref.Location {
		case "":
			continue
		case "uri":
			resource, _ = value.(string)
		case "querystring":
			list, _ := value.([]any)
			for _, item := range list {
				if text, ok := item.(string); ok {
					query.Add(ref.LocationName, text)
				}
			}
		}
		delete(members, name)
	}
	body, err := json.Marshal(members)
	x.check(err)
	x.ask(op, resource, query, x.smudge(string(body)))
}

// smudge spoils the text of a body now and then.
func (x *trial) smudge(body string) string {
	if !x.draw.rarely(20) {
		return body
	}
	return []string{body[:x.draw.IntN(len(body))], body + "{}", body + " \n", "[" + body + "]", "", "null", "\ufeff" + body,
		strings.ReplaceAll(body, `"`, `'`), body + "//"}[x.draw.IntN(9)]
}

// ask sends one request and compares the answer with the oracle's.
func (x *trial) ask(op operation, resource string, query url.Values, body string) {
	x.t.Helper()
	path := op.path
	if path == tagsPath {
		path += strings.ReplaceAll(url.QueryEscape(resource), "+", "%20")
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if op.method != "POST" {
		body = ""
	}
	before := x.eye.see(x.t)
	got := x.call(op.method, path, body)
	x.counted[op.name+" "+got.code()]++
	about := fmt.Sprintf("%s %s\n%.2000s\ngot %d %s", op.method, path, body, got.status, got.body)
	if x.disagree(op, resource, query, body, got, about); x.t.Failed() {
		return
	}
	switch after := x.eye.see(x.t); {
	case got.status == 200:
		if x.learn(got.body); op.name == "CreateStage" && after == before {
			x.t.Errorf("nothing has changed, or this test is blind: %s", about)
		}
	case after != before:
		x.t.Errorf("it was refused, and yet something has changed: %s", about)
	}
}

func (x *trial) disagree(op operation, resource string, query url.Values, body string, got answer, about string) {
	x.t.Helper()
	failures, wrong := x.oracle.judge(op.name, resource, query, body)
	detected := detection.FindStringSubmatch(got.message())
	switch {
	case got.status == 501 && op.output == nil && wrong == nil && len(failures) == 0: // it says so
	case got.status >= 500:
		x.t.Errorf("%s\n%s", about, x.log.String())
	case wrong != nil:
		if got.status != 400 || got.code() != "SerializationException" {
			x.t.Errorf("want a SerializationException: %s", about)
		}
	case len(failures) > 0:
		if got.status != 400 || got.code() != validation || detected == nil || detected[1] != fmt.Sprint(len(failures)) || !told(detected[2], failures) {
			x.t.Errorf("want %d failures %v: %s", len(failures), failures, about)
		}
	case got.code() == "SerializationException" || detected != nil:
		x.t.Errorf("the model allows it: %s", about)
	case got.status == 200:
		if complaint := x.oracle.complain(op.name, got.body); complaint != "" {
			x.t.Errorf("%s: %s", complaint, about)
		}
	case !x.declared(op.name, got.code()):
		x.t.Errorf("the model does not declare this error: %s", about)
	}
}

var detection = regexp.MustCompile(`(?s)^(\d+) validation errors? detected\. (.*)$`)

// told says whether a text tells just these failures, in any order, or the
// first twenty of them.
func told(text string, failures []failure) bool {
	n := 0
	for _, f := range failures {
		if before, after, ok := strings.Cut(text, f.text); ok {
			text = before + after
			n++
		}
	}
	return n == min(len(failures), maxTold) && strings.Trim(text, "; ") == ""
}

// declared says whether the model declares an error. The tag operations do not
// declare AccessDeniedException, which is possible everywhere nevertheless.
func (x *trial) declared(operation, code string) bool {
	return code == accessDenied || slices.ContainsFunc(x.oracle.Operations[operation].Errors, func(r modelRef) bool { return r.Shape == code })
}

// learn remembers what an answer names.
func (x *trial) learn(body string) {
	for _, found := range newARN.FindAllStringSubmatch(body, -1) {
		shape := map[string]string{
			"stage": "StageArn", "public-key": "PublicKeyArn", "encoder-configuration": "EncoderConfigurationArn",
			"storage-configuration": "StorageConfigurationArn", "ingest-configuration": "IngestConfigurationArn", "composition": "CompositionArn",
		}[found[2]]
		x.meet(shape, found[1])
		x.meet("ResourceArn", found[1])
		switch found[2] {
		case "storage-configuration":
			x.meet("AutoParticipantRecordingStorageConfigurationArn", found[1])
		case "stage":
			x.meet("IngestConfigurationStageArn", found[1])
		}
	}
	for _, found := range newID.FindAllStringSubmatch(body, -1) {
		x.meet("ParticipantId", found[1])
		x.meet("ParticipantTokenId", found[1])
	}
	for _, found := range newToken.FindAllStringSubmatch(body, -1) {
		x.meet("PaginationToken", found[1])
	}
}

var (
	newARN   = regexp.MustCompile(`"(arn:aws:ivs:[a-z0-9-]+:\d+:([a-z-]+)/[A-Za-z0-9-]+)"`)
	newID    = regexp.MustCompile(`"participantId":"([^"]+)"`)
	newToken = regexp.MustCompile(`"nextToken":"([^"]+)"`)
)

// eye sees everything that is stored.
type eye struct {
	facts   stage.Store
	conn    *sqlite.Conn
	version int64
	seen    [sha256.Size]byte
}

func newEye(t testing.TB, path string, facts stage.Store) *eye {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &eye{facts: facts, conn: conn, version: -1}
}

// see gives a digest of all rows of all tables. It looks again only when a
// commit has changed something.
func (e *eye) see(t testing.TB) [sha256.Size]byte {
	t.Helper()
	if err := e.facts.View(t.Context(), func(stage.Tx) error { return nil }); err != nil { // with it all that was stored is in the file
		t.Fatal(err)
	}
	var version int64
	e.rows(t, "PRAGMA data_version", func(s *sqlite.Stmt) { version = s.ColumnInt64(0) })
	if version == e.version {
		return e.seen
	}
	e.version = version
	var tables []string
	e.rows(t, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", func(s *sqlite.Stmt) { tables = append(tables, s.ColumnText(0)) })
	sum := sha256.New()
	for _, table := range tables {
		e.rows(t, "SELECT * FROM "+table, func(s *sqlite.Stmt) {
			for i := range s.ColumnCount() {
				fmt.Fprintf(sum, "%s %d %q\n", table, i, s.ColumnText(i))
			}
		})
	}
	e.seen = [sha256.Size]byte(sum.Sum(nil))
	return e.seen
}

func (e *eye) rows(t testing.TB, sql string, row func(*sqlite.Stmt)) {
	t.Helper()
	err := sqlitex.ExecuteTransient(e.conn, sql, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error { row(s); return nil }})
	if err != nil {
		t.Fatal(err)
	}
}
