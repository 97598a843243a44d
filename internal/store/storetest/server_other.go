//go:build !linux

package storetest

import (
	"os"
	"os/exec"
)

const canBeOwner = false

var sigImmediate = os.Kill

func giveAway(string) error { return nil }

func asOwner(*exec.Cmd) {}

func (s *Server) run(started chan<- error) {
	cmd, ended := s.cmd, s.ended
	err := cmd.Start()
	started <- err
	if err == nil {
		ended <- cmd.Wait()
	}
}
