package shop

import (
	"fmt"
	"os"
	"path/filepath"
)

// WriteImages writes the pictures of [Shop] into a folder, under the names that the
// items' Image fields have.
func WriteImages(dir string, images map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("writing the demo's pictures: %w", err)
	}
	for id, data := range images {
		if err := os.WriteFile(filepath.Join(dir, id+".png"), data, 0o666); err != nil {
			return fmt.Errorf("writing the demo's pictures: %w", err)
		}
	}
	return nil
}
