//go:build e2e

package e2e_test

import (
	"os"
	"strconv"
	"testing"

	"yativo-card-exporter/internal/testutil"
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
func peakMemory(t *testing.T, p *process) int {
	t.Helper()
	size, err := testutil.PeakMemory(p.Cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// residentMemory is the resident memory of a process, in bytes.
func residentMemory(t *testing.T, p *process) int {
	t.Helper()
	size, err := testutil.ResidentMemory(p.Cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return size
}
