//go:build !linux

package store

import "os"

// syncer makes durable what was written to a file.
type syncer struct{ file *os.File }

func newSyncer(f *os.File) *syncer { return &syncer{f} }

func (s *syncer) sync() error { return s.file.Sync() }

func (s *syncer) close() {}
