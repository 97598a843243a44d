package store

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// statements gives the value of every constant of this package that is SQL.
func statements(t *testing.T) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "pg") || name == "postgres.go" {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := types.Info{Defs: map[*ast.Ident]types.Object{}}
	// What is imported is not looked at, so there are errors; constants are evaluated all the same.
	check := types.Config{Error: func(error) {}}
	check.Check("store", fset, files, &info)
	found := map[string]string{}
	for _, object := range info.Defs {
		c, ok := object.(*types.Const)
		if !ok || c.Val().Kind() != constant.String {
			continue
		}
		if sql := constant.StringVal(c.Val()); regexp.MustCompile(`^(SELECT|INSERT|UPDATE|DELETE) `).MatchString(sql) {
			found[c.Name()] = sql
		}
	}
	if len(found) < 30 {
		t.Fatalf("only %d statements found", len(found))
	}
	return found
}

// plan is how SQLite will run a statement.
func plan(t *testing.T, conn conn, sql string) string {
	t.Helper()
	s, _, err := conn.(*liteConn).PrepareTransient("EXPLAIN QUERY PLAN " + dialect.Replace(sql))
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer s.Finalize()
	var steps []string
	for {
		more, err := s.Step()
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return strings.Join(steps, "; ")
		}
		steps = append(steps, s.ColumnText(3))
	}
}

func TestEveryStatementGoesByAnIndexAndNeverSorts(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{})
	conn, err := s.writer.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.writer.put(conn)
	whole := []string{"sqliteTables", "resetCounters", "listCounters", "listMigrations"} // of few rows, which are all wanted
	for name, sql := range statements(t) {
		// What a subquery has found by an index may be read to its end.
		switch got := strings.ReplaceAll(plan(t, conn, sql), "SCAN few", ""); {
		case strings.Contains(got, "TEMP B-TREE"):
			t.Errorf("%s sorts: %s", name, got)
		case strings.Contains(got, "SCAN") && !slices.Contains(whole, name):
			t.Errorf("%s reads a whole table: %s", name, got)
		}
	}
}

func TestListsWalkTheIndexMadeForThem(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{})
	conn, err := s.writer.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.writer.put(conn)
	for sql, want := range map[string]string{
		listDocuments: "SEARCH d USING INDEX document_order (type=? AND account=? AND region=? AND no>?); " +
			"CORRELATED SCALAR SUBQUERY 1; SEARCH l USING PRIMARY KEY (source=?)",
		listLinked: "SEARCH k USING COVERING INDEX link_target (target=? AND type=? AND account=? AND region=? AND no>?); " +
			"SEARCH d USING INDEX sqlite_autoindex_document_1 (arn=?); CORRELATED SCALAR SUBQUERY 1; SEARCH l USING PRIMARY KEY (source=?)",
		countDocuments:   "CO-ROUTINE few; SEARCH document USING COVERING INDEX document_order (type=? AND account=? AND region=?); SCAN few",
		listSessions:     "SEARCH session USING INDEX session_order (stage=? AND no<?)",
		listAllSessions:  "SEARCH session USING INTEGER PRIMARY KEY (rowid>?)",
		listLiveSessions: "SEARCH session USING INDEX session_live_order (ended=? AND no>?)",
		listOrphans: "SEARCH session USING INDEX session_live_order (ended=? AND no>?); CORRELATED SCALAR SUBQUERY 1; " +
			"SEARCH document USING COVERING INDEX sqlite_autoindex_document_1 (arn=?)",
		listLiveSessionsOf: "SEARCH session USING INDEX session_live (stage=?); LIST SUBQUERY 1; " +
			"SEARCH document USING INDEX document_order (type=? AND account=? AND region=? AND no>?)",
		selectLiveSession:    "SEARCH session USING INDEX session_live (stage=?)",
		listParticipants:     "SEARCH participant USING PRIMARY KEY (session=? AND seq<?)",
		listByUserID:         "SEARCH participant USING INDEX participant_user_id (session=? AND user_id=? AND seq<?)",
		listByConnected:      "SEARCH participant USING INDEX participant_connected (session=? AND connected=? AND seq<?)",
		listByPublished:      "SEARCH participant USING INDEX participant_published (session=? AND published=? AND seq<?)",
		listByRecording:      "SEARCH participant USING INDEX participant_recording (session=? AND recording=? AND seq<?)",
		selectParticipantID:  "SEARCH participant USING INDEX participant_id (session=? AND id=?)",
		selectParticipantSeq: "SEARCH participant USING PRIMARY KEY (session=? AND seq=?)",
		listFeed:             "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)",
		listOf:               "SEARCH event USING INDEX event_participant (session=? AND participant=? AND no<?)",
		walkRows:             "SEARCH p USING PRIMARY KEY (session=? AND seq>? AND seq<?)",
		countRows:            "SEARCH p USING PRIMARY KEY (session=? AND seq>? AND seq<?)",
		walkDetail:           "SEARCH p USING PRIMARY KEY (session=? AND seq>? AND seq<?); SEARCH d USING PRIMARY KEY (session=? AND seq=?) LEFT-JOIN",
		countDetail:          "SEARCH p USING PRIMARY KEY (session=? AND seq>? AND seq<?); SEARCH d USING PRIMARY KEY (session=? AND seq=?) LEFT-JOIN",
		listHistories:        "SEARCH p USING PRIMARY KEY (session=? AND seq>? AND seq<?); SEARCH e USING INDEX event_participant (session=? AND participant=?)",
		listSessionEvents:    "SEARCH event USING INDEX event_participant (session=? AND participant>?)",
		lastEvent:            "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)",
	} {
		if got := plan(t, conn, sql); got != want {
			t.Errorf("%s:\n got %s\nwant %s", sql, got, want)
		}
	}
}

// SQLite counts placeholders as they appear, PostgreSQL by their number.
func TestPlaceholdersAreNumberedInTheOrderTheyAppear(t *testing.T) {
	t.Parallel()
	for name, sql := range statements(t) {
		highest := 0
		for _, placeholder := range regexp.MustCompile(`\$\d+`).FindAllString(sql, -1) {
			switch placeholder {
			case fmt.Sprintf("$%d", highest+1):
				highest++
			default:
				t.Errorf("%s names %s after $%d", name, placeholder, highest)
			}
		}
	}
}

func TestOnlyTheEngineSpeaksADialect(t *testing.T) {
	t.Parallel()
	texts := statements(t)
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(b)
	}
	foreign := regexp.MustCompile(`(?i)\b(WITHOUT ROWID|AUTOINCREMENT|rowid|INSERT OR|REPLACE INTO|IFNULL|INDEXED BY|COLLATE|STRICT|PRAGMA|datetime\(|json_)`)
	for name, sql := range texts {
		if word := foreign.FindString(sql); word != "" {
			t.Errorf("%s says %s", name, word)
		}
	}
}

// A bare parameter as the limit makes SQLite prepare a statement over and over.
func TestLimitsAreExpressions(t *testing.T) {
	t.Parallel()
	for name, sql := range statements(t) {
		if regexp.MustCompile(`LIMIT \$`).MatchString(sql) {
			t.Errorf("%s has a bare limit", name)
		}
	}
}
