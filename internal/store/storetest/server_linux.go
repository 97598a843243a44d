package storetest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
)

// canBeOwner tells that this system can run a server under another user.
const canBeOwner = true

const sigImmediate = syscall.SIGQUIT

// owner is who runs the server: PostgreSQL refuses to run as root.
func owner() (uid, gid int, other bool) {
	if os.Getuid() != 0 {
		return 0, 0, false
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			return uid, gid, true
		}
	}
	return 65534, 65534, true
}

func giveAway(dir string) error {
	if uid, gid, other := owner(); other {
		return os.Chown(dir, uid, gid)
	}
	return nil
}

// asOwner has a program run by the owner, and end when this process does.
func asOwner(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if uid, gid, other := owner(); other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
}

// run starts the server and waits for its end, on one thread: it is the end
// of that thread with which the server would end.
func (s *Server) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, ended := s.cmd, s.ended
	if err := cmd.Start(); err != nil {
		started <- fmt.Errorf("start: %w", err)
		return
	}
	started <- nil
	ended <- cmd.Wait()
}
