//go:build e2e

package e2e_test

import (
	"debug/elf"
	"os"
	"testing"
)

// The image holds the binary and no library, so the binary must need none; and
// a small image starts sooner.
func TestBinaryIsStaticAndSmall(t *testing.T) {
	t.Parallel()
	binary, err := elf.Open(exporterBinary)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := binary.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, segment := range binary.Progs {
		if segment.Type == elf.PT_INTERP || segment.Type == elf.PT_DYNAMIC {
			t.Errorf("it has a %v segment, so it needs libraries", segment.Type)
		}
	}
	info, err := os.Stat(exporterBinary)
	if err != nil {
		t.Fatal(err)
	}
	const most = 20_000_000
	if info.Size() > most {
		t.Errorf("it has %d bytes, more than %d", info.Size(), most)
	}
}
