package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"callboard/internal/seed"
)

// openSeed reads the seed: a mistake in it stops the start before anything is made.
func (s *Server) openSeed(context.Context) (err error) {
	s.plan = new(seed.Plan)
	if s.cfg.Seed != "" {
		s.plan, err = seed.Load(s.cfg.Seed, seed.Defaults{Account: s.cfg.Account, Region: s.cfg.Region, Regions: s.cfg.Regions})
	}
	return err
}

// sow makes what the seed wants and keeps what tests need to know of it.
func (s *Server) sow(ctx context.Context) error {
	if s.cfg.Seed == "" {
		return nil
	}
	s.log.Info("sowing the seed", "file", s.cfg.Seed)
	crop, err := s.plan.Sow(ctx, s.service)
	if err != nil {
		return fmt.Errorf("%s: %w", s.cfg.Seed, err)
	}
	s.crop.Store(crop)
	s.log.Info("the seed is sown", "file", s.cfg.Seed, "stages", len(crop.Stages), "public_keys", len(crop.PublicKeys), "access_keys", len(s.plan.Keys))
	if s.cfg.Data == Memory {
		return nil
	}
	return keepCrop(s.cropPath(), crop)
}

func (s *Server) cropPath() string { return filepath.Join(s.cfg.Directory(), "seed.json") }

// forgetCrop drops what is known of the last sowing, when its facts are gone.
func (s *Server) forgetCrop() error {
	s.crop.Store(nil)
	if s.cfg.Seed == "" || s.cfg.Data == Memory {
		return nil
	}
	if err := os.Remove(s.cropPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// keepCrop writes the file that only its owner can read: it has tokens in it. It
// is whole at any time.
func keepCrop(path string, crop *seed.Crop) error {
	text, err := json.MarshalIndent(crop, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "seed-*") // mode 0600
	if err == nil {
		_, err = f.Write(append(text, '\n'))
		err = errors.Join(err, f.Close())
		if err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("the tokens of the seed cannot be kept: %w", err)
	}
	return nil
}

// showCrop gives the crop to a test, with the endpoints by which it came.
func (s *Server) showCrop(r *http.Request) (any, error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	crop := s.crop.Load()
	if crop == nil {
		return nil, errors.New("the last reset could not sow the seed, the log says why; another one tries again")
	}
	if own := endpoints(s.public); s.followsHost() && hostEndpoints(r) != own {
		return crop.Reworded(s.service, hostEndpoints(r))
	}
	return crop, nil
}
