package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"callboard/internal/stage"
)

// firstRelease makes a database as the first release left it, with a stage in it.
func firstRelease(t *testing.T, path, body string) {
	t.Helper()
	const first = "migrations/0001_facts.sql"
	sql, err := migrations.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), createFile(path)); err != nil {
		t.Fatal(err)
	}
	conn, err := connectWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.close()
	if err := migrate(t.Context(), conn, fstest.MapFS{first: {Data: sql}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	tx := &tx{conn: conn, now: time.Now(), writable: true}
	if err := errors.Join(conn.beginWrite(), putStage(tx, body), conn.commit()); err != nil {
		t.Fatal(err)
	}
}

func putStage(tx *tx, body string) error {
	if err := tx.write(setCounter, int64(1), "document"); err != nil {
		return err
	}
	_, err := tx.exec(insertDocument, testStage.String(), testStage.Type, testStage.Account, testStage.Region,
		int64(1), tx.now, "main", `{"team":"radio"}`, body)
	return err
}

func TestADatabaseOfTheFirstReleaseIsTakenOver(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	body := `{"Recording":{"StorageConfigurationARN":"","MediaTypes":["AUDIO_VIDEO"],"RecordReplicas":true}}`
	firstRelease(t, path, body)
	s := openAt(t, Options{Path: path})
	storage := stage.ARN{Region: testStage.Region, Account: testStage.Account, Type: stage.TypeStorageConfiguration, ID: "s"}
	query := stage.DocumentQuery{Type: stage.TypeStage, Account: testStage.Account, Region: testStage.Region, Limit: 10}

	mustUpdate(t, s, func(tx stage.Tx) error {
		d, err := tx.Document(testStage)
		if err != nil {
			return err
		}
		if string(d.Body) != body || d.Name != "main" || d.Tags["team"] != "radio" || d.No != 1 || d.Version != 1 || d.Links != nil {
			t.Errorf("the stage came over as %+v", d)
		}
		d.Links = []stage.ARN{storage}
		return tx.PutDocument(&d)
	})
	for _, link := range []stage.ARN{{}, storage} {
		query.Link = link
		err := s.View(t.Context(), func(tx stage.Tx) error {
			list, err := tx.Documents(query)
			if len(list) != 1 || len(list[0].Links) != 1 || list[0].Links[0] != storage || list[0].Version != 2 {
				t.Errorf("listed by the link %q: %+v", link, list)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
