package onboarding

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A lock that a signal interrupts is asked for again; one that the file system
// does not have is named, with the way out.
func TestLocksThatFail(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, c := range []struct {
		answers []error // of the calls, one by one
		want    string
	}{
		{[]error{nil}, ""},
		{[]error{syscall.EINTR, syscall.EINTR, nil}, ""},
		{[]error{syscall.EINTR, syscall.EWOULDBLOCK}, ErrLocked.Error()},
		{[]error{syscall.ENOLCK}, "its file system cannot lock it; name a file on a local disk: no locks available"},
		{[]error{syscall.ENOSYS}, "its file system cannot lock it; name a file on a local disk: function not implemented"},
		{[]error{syscall.EOPNOTSUPP}, "its file system cannot lock it; name a file on a local disk: operation not supported"},
	} {
		err := lock(file, func(int, int) error {
			answer := c.answers[0]
			c.answers = c.answers[1:]
			return answer
		})
		if err == nil && c.want != "" || err != nil && !strings.HasPrefix(err.Error(), c.want) || len(c.answers) > 0 {
			t.Errorf("error %v and %d calls left, want %q", err, len(c.answers), c.want)
		}
		if c.want == "" && err != nil || errors.Is(err, ErrLocked) != (c.want == ErrLocked.Error()) {
			t.Errorf("error %v", err)
		}
	}
}
