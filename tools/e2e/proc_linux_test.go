//go:build e2e

package e2e_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// processStatus is what the kernel tells of a process.
func processStatus(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	return string(status)
}

// peakMemory is the most resident memory that a process has had, in bytes.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	return statusBytes(t, pid, "VmHWM:")
}

// residentMemory is the resident memory of a process, in bytes.
func residentMemory(t *testing.T, pid int) int {
	t.Helper()
	return statusBytes(t, pid, "VmRSS:")
}

func statusBytes(t *testing.T, pid int, field string) int {
	t.Helper()
	_, rest, found := strings.Cut(processStatus(t, pid), field)
	fields := strings.Fields(rest)
	if !found || len(fields) < 2 {
		t.Fatalf("the status of process %d tells no %s", pid, field)
	}
	kib, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
