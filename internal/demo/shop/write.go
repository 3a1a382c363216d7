package shop

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// drawing is the folder beside the pictures' in which they are written.
const drawing = ".drawing"

// Drawn reports whether a folder holds n pictures, all of them whole.
func Drawn(dir string, n int) bool {
	pictures, err := os.ReadDir(dir)
	_, unfinished := os.Lstat(filepath.Join(filepath.Dir(dir), drawing))
	return err == nil && len(pictures) >= n && unfinished != nil
}

// WriteImages writes the pictures of [Shop] into a folder, under the names that the
// items' Image fields have. Each picture is there whole or not at all.
func WriteImages(dir string, images map[string][]byte) error {
	making := filepath.Join(filepath.Dir(dir), drawing)
	if err := errors.Join(os.MkdirAll(dir, 0o777), os.MkdirAll(making, 0o777)); err != nil {
		return fmt.Errorf("writing the demo's pictures: %w", err)
	}
	for id, data := range images {
		file := filepath.Join(making, id+".png")
		if err := os.WriteFile(file, data, 0o666); err != nil {
			return fmt.Errorf("writing the demo's pictures: %w", err)
		}
		if err := os.Rename(file, filepath.Join(dir, id+".png")); err != nil {
			return fmt.Errorf("writing the demo's pictures: %w", err)
		}
	}
	if err := os.RemoveAll(making); err != nil { // with a picture in it that was being written at a kill
		return fmt.Errorf("writing the demo's pictures: %w", err)
	}
	return nil
}
