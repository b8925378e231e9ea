package testutil

import (
	"fmt"
	"os"
	"path/filepath"
)

// Tool returns the absolute path of a program that `make tools` builds, such as
// promtool. root is the folder of the repository.
func Tool(root, program string) (string, error) {
	path, err := filepath.Abs(filepath.Join(root, ".tools", program))
	if err != nil {
		return "", fmt.Errorf("find the tool %s: %w", program, err)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("find the tool %s: %w; run `make tools` in the folder of the repository", program, err)
	}
	return path, nil
}
