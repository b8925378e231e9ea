package testutil

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PeakMemory is the most resident memory that a running process has had, in
// bytes, mapped files included. What the kernel says of a process that has
// ended (ru_maxrss) is no more than an upper bound: it counts the parent's own
// memory at the time of the start.
func PeakMemory(pid int) (int, error) { return statusBytes(pid, "VmHWM:") }

// ResidentMemory is the resident memory of a running process, in bytes.
func ResidentMemory(pid int) (int, error) { return statusBytes(pid, "VmRSS:") }

func statusBytes(pid int, field string) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(status), field)
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, fmt.Errorf("the kernel does not say %s of process %d", field, pid)
	}
	kib, err := strconv.Atoi(fields[0])
	return kib << 10, err
}
