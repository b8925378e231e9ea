//go:build e2e

package e2e_test

import (
	"os"
	"strconv"
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
