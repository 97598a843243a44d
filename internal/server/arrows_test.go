package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "callboard"

// arrow is what one package may know, and why not more.
type arrow struct {
	ours  []string // packages of this module, by their path under internal
	never []string // packages of others that it must not know although its neighbours may
	why   string
}

// arrows is the map of the house: whoever is not in the list may not be
// imported. A package that is not in the table fails the test.
var arrows = map[string]arrow{
	"internal/token":             {why: "tokens are functions of bytes, keys and a time", never: []string{"net/http", "os", "database/sql"}},
	"internal/sigv4":             {why: "signatures know no service and no operation"},
	"internal/iam":               {why: "policies are a language: functions of a document and a request", never: []string{"net/http", "os", "database/sql", "io/fs"}},
	"internal/keyring":           {ours: []string{"iam"}, why: "a key knows its policies and no door", never: []string{"net/http"}},
	"internal/stage":             {ours: []string{"token"}, why: "the domain knows no HTTP, no SQL, no media, no files", never: []string{"net/http", "net", "os", "database/sql", "io/fs"}},
	"internal/roll":              {why: "a roll is rows in memory: it knows no stage, no SQL, no JSON", never: []string{"net/http", "os", "database/sql"}},
	"internal/store":             {ours: []string{"roll", "stage"}, why: "the store remembers facts and knows no door", never: []string{"net/http"}},
	"internal/store/storetest":   {ours: []string{"stage"}, why: "every store passes the same examination", never: []string{"net/http"}},
	"internal/audit":             {ours: []string{"stage"}, why: "facts are held against each other however they are kept", never: []string{"net/http", "os", "database/sql"}},
	"internal/proof":             {why: "the proof has tests only"},
	"internal/api":               {ours: []string{"stage", "sigv4", "iam"}, why: "the API asks the domain and nobody else"},
	"internal/desk":              {ours: []string{"api", "export", "hook", "stage"}, why: "the desk asks the domain; who may come in is the API's to say"},
	"internal/export":            {why: "tables are columns and rows, whatever they are about", never: []string{"net/http", "os", "database/sql"}},
	"internal/bucket":            {ours: []string{"sigv4"}, why: "a place with buckets knows nothing of what they are for"},
	"internal/quota":             {ours: []string{"stage"}, why: "quotas are figures and counts; who owns what is bounded enforces them", never: []string{"net/http", "database/sql"}},
	"internal/sfu":               {why: "media know no stage, no token, no HTTP", never: []string{"net/http", "database/sql"}},
	"internal/hook":              {ours: []string{"stage"}, why: "webhooks follow the feed and know nobody else", never: []string{"database/sql", "os"}},
	"internal/lobby":             {ours: []string{"sdk"}, why: "pages are files: whoever joins does so at the other doors"},
	"sdk":                        {why: "client libraries know nothing of the server"},
	"internal/live":              {ours: []string{"stage", "sfu"}, why: "the floor joins domain and media and speaks to no network", never: []string{"net/http", "database/sql"}},
	"internal/live/livetest":     {ours: []string{"live", "sfu", "stage", "store", "token"}, why: "test support builds a floor and what stands under it"},
	"internal/relay":             {why: "a relay knows where media are, and nobody who uses them", never: []string{"net/http", "database/sql"}},
	"internal/whip":              {ours: []string{"stage", "live", "sfu"}, why: "this door knows the domain and the floor, and of the media only names"},
	"internal/presence":          {ours: []string{"stage", "live"}, why: "this door knows the domain and the floor"},
	"internal/troupe":            {ours: []string{"live", "sfu", "stage"}, why: "processes speak to each other about the floor, and of the media only names", never: []string{"database/sql"}},
	"internal/express":           {why: "the express lane carries requests and knows nothing of what they ask"},
	"internal/guest":             {why: "a guest is a stranger: it knows the wires only"},
	"internal/rehearsal":         {why: "what is only for tests knows nothing of what it is used on"},
	"internal/seed":              {ours: []string{"iam", "keyring", "stage", "token"}, why: "a seed is sown through the domain, like a caller's wishes", never: []string{"net/http"}},
	"internal/server":            {ours: []string{"api", "audit", "bucket", "desk", "express", "hook", "iam", "keyring", "live", "lobby", "presence", "quota", "rehearsal", "relay", "seed", "sfu", "sigv4", "stage", "store", "token", "troupe", "whip"}, why: "the server knows all parts, but no test support and no guest"},
	"internal/server/servertest": {ours: []string{"server", "sigv4"}, why: "test support drives a server from outside"},
	"cmd/callboard":              {ours: []string{"server", "guest", "hook", "keyring", "iam", "quota"}, why: "the command is a doorway to the server"},
}

// keepers are who alone may know a library.
var keepers = []struct {
	library string
	who     []string
	why     string
}{
	{"zombiezen.com/", []string{"internal/store"}, "facts go through the store"},
	{"modernc.org/", []string{"internal/store"}, "facts go through the store"},
	{"github.com/jackc/", []string{"internal/store"}, "facts go through the store"},
	{"database/sql", nil, "facts go through the store, which has its own driver"},
	{"github.com/pion/", []string{"internal/sfu", "internal/relay", "internal/guest", "internal/live/livetest"}, "packets are the media plane's"},
	{"github.com/aws/", []string{"cmd/callboard"}, "the server speaks the protocol itself; only clients use the SDK"},
	{"github.com/spf13/", []string{"cmd/callboard"}, "flags are the command's"},
	{"go.yaml.in/", []string{"internal/server", "internal/quota", "internal/seed"}, "YAML is for what people write: configuration, quotas and seeds"},
	{"github.com/prometheus/", []string{"internal/server"}, "parts count, the server shows"},
	{"github.com/coder/websocket", []string{"internal/presence", "internal/troupe", "internal/guest", "internal/desk"}, "sockets are presence, watchers and processes"},
	{"github.com/golang-jwt/", []string{"internal/token"}, "tokens are read in one place"},
	{"github.com/parquet-go/", []string{"internal/export"}, "tables are written in one place"},
	{"testing", []string{"internal/store/storetest", "internal/live/livetest", "internal/server/servertest"}, "the program contains no test code"},
}

// source is one package as its files have it.
type source struct {
	imports  map[string]bool // of the files that are not tests
	comments int             // package comments
}

func TestPackagesKnowOnlyWhomTheyMay(t *testing.T) {
	t.Parallel()
	for dir, src := range sources(t) {
		allowed, ok := arrows[dir]
		if !ok {
			t.Errorf("%s is not on the map; give it a row with what it may import, and why", dir)
			continue
		}
		for imported := range src.imports {
			judge(t, dir, imported, allowed)
		}
	}
}

func judge(t *testing.T, dir, imported string, allowed arrow) {
	t.Helper()
	if own, ok := strings.CutPrefix(imported, module+"/"); ok {
		if !slices.Contains(allowed.ours, strings.TrimPrefix(own, "internal/")) {
			t.Errorf("%s imports %s: %s", dir, own, allowed.why)
		}
		return
	}
	if slices.Contains(allowed.never, imported) {
		t.Errorf("%s imports %s: %s", dir, imported, allowed.why)
	}
	for _, k := range keepers {
		if (imported == k.library || strings.HasSuffix(k.library, "/") && strings.HasPrefix(imported, k.library)) && !slices.Contains(k.who, dir) {
			t.Errorf("%s imports %s: %s", dir, imported, k.why)
		}
	}
}

func TestEveryPackageTellsItsStoryOnce(t *testing.T) {
	t.Parallel()
	for dir, src := range sources(t) {
		if src.comments != 1 {
			t.Errorf("%s has %d package comments, want exactly one", dir, src.comments)
		}
	}
}

func TestTheMapShowsNoHouseThatIsNotThere(t *testing.T) {
	t.Parallel()
	all := sources(t)
	for dir := range arrows {
		if _, ok := all[dir]; !ok {
			t.Errorf("%s is on the map, but it has no Go files", dir)
		}
	}
}

// sources parses the heads of all files of the module that go into the program.
func sources(t *testing.T) map[string]*source {
	t.Helper()
	root := os.DirFS("../..")
	found := make(map[string]*source)
	for _, top := range []string{"cmd", "internal", "sdk"} {
		err := fs.WalkDir(root, top, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() != "testdata" {
				return err
			}
			if d.IsDir() {
				return fs.SkipDir
			}
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", name), nil, parser.ImportsOnly|parser.ParseComments)
			if err != nil {
				return err
			}
			dir := path.Dir(name)
			if found[dir] == nil {
				found[dir] = &source{imports: make(map[string]bool)}
			}
			return found[dir].add(file)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func (s *source) add(file *ast.File) error {
	if file.Doc != nil {
		s.comments++
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		s.imports[imported] = true
	}
	return nil
}
