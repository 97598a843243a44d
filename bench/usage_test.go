//go:build linux

package bench

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the time that a process has run, on all cores and in the system, its sending through loopback included.
func cpuTime(b *testing.B, pid int) time.Duration {
	var t unix.Timespec
	must(b, unix.ClockGettime(int32(^pid<<3|2), &t)) // the clock's name as clock_getcpuclockid makes it
	return time.Duration(t.Nano())
}

// threadTime is that of this thread.
func threadTime(b *testing.B) time.Duration {
	var t unix.Timespec
	must(b, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t))
	return time.Duration(t.Nano())
}

// busyTime is that of all processes on the machine.
func busyTime(b *testing.B) time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	must(b, err)
	line, _, _ := strings.Cut(string(stat), "\n")
	ticks := 0
	for i, field := range strings.Fields(line)[1:8] {
		const idle, waiting = 3, 4
		if n, _ := strconv.Atoi(field); i != idle && i != waiting {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
