package store

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// syncer makes durable what was written to a file that has its size and its
// places on the disk already.
//
// A thread in fdatasync keeps the processor it had of GOMAXPROCS, until the
// runtime notices, which takes about as long as the sync; with one processor
// everybody waits for the disk. So the kernel is asked to sync by io_submit(2),
// which returns at once, and says by an eventfd, for which the runtime's
// poller waits, when it is done. Where that is not allowed, fdatasync it is.
type syncer struct {
	file  *os.File
	done  *os.File // the eventfd; nil if there is none
	queue uintptr  // of the kernel
}

func newSyncer(f *os.File) *syncer {
	s := &syncer{file: f}
	if _, _, errno := syscall.Syscall(syscall.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&s.queue)), 0); errno != 0 {
		return s
	}
	const efdCloexec, efdNonblock = syscall.O_CLOEXEC, syscall.O_NONBLOCK
	fd, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, efdCloexec|efdNonblock, 0)
	if errno != 0 {
		syscall.Syscall(syscall.SYS_IO_DESTROY, s.queue, 0, 0)
		return s
	}
	s.done = os.NewFile(fd, "eventfd")
	return s
}

// sync returns when what was written before is durable.
func (s *syncer) sync() error {
	if s.done != nil {
		err := s.submit()
		if err == nil {
			return s.wait()
		}
		if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.ENOSYS) {
			return err
		}
		s.close() // this file cannot be synced so
	}
	for {
		err := syscall.Fdatasync(int(s.file.Fd()))
		if err != syscall.EINTR {
			return err
		}
	}
}

// iocb is struct iocb of linux/aio_abi.h, for what is used of it.
type iocb struct {
	_           [2]uint64 // data, key, rw_flags
	opcode      uint16
	_           uint16 // priority
	file        uint32
	_           [4]uint64 // buf, nbytes, offset, reserved2: nothing is transferred
	flags, tell uint32
}

const (
	iocbFdsync = 3 // IOCB_CMD_FDSYNC
	iocbTell   = 1 // IOCB_FLAG_RESFD
)

func (s *syncer) submit() error {
	conn, err := s.done.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	err = conn.Control(func(tell uintptr) {
		cb := &iocb{opcode: iocbFdsync, file: uint32(s.file.Fd()), flags: iocbTell, tell: uint32(tell)}
		list := [1]*iocb{cb}
		_, _, errno = syscall.Syscall(syscall.SYS_IO_SUBMIT, s.queue, 1, uintptr(unsafe.Pointer(&list)))
		runtime.KeepAlive(cb)
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("io_submit", errno)
	}
	return err
}

// wait takes the answer to submit.
func (s *syncer) wait() error {
	var count [8]byte
	if _, err := s.done.Read(count[:]); err != nil {
		return err
	}
	var event [32]byte // data, the iocb, two results of 64 bits each
	for {
		n, _, errno := syscall.Syscall6(syscall.SYS_IO_GETEVENTS, s.queue, 1, 1, uintptr(unsafe.Pointer(&event)), 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno != 0 || n != 1:
			return os.NewSyscallError("io_getevents", errno)
		default:
			if result := int64(binary.NativeEndian.Uint64(event[16:])); result < 0 {
				return os.NewSyscallError("fdatasync", syscall.Errno(-result))
			}
			return nil
		}
	}
}

func (s *syncer) close() {
	if s.done != nil {
		syscall.Syscall(syscall.SYS_IO_DESTROY, s.queue, 0, 0)
		s.done.Close()
		s.done = nil
	}
}
