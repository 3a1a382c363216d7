package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// HashInputs returns the SHA-256, in hex, of the parts' JSON (map keys sorted, struct
// fields in order). A part that JSON cannot hold is a mistake in the program: it panics.
func HashInputs(parts ...any) string {
	b, err := json.Marshal(parts)
	if err != nil {
		panic(fmt.Sprintf("workspace: hashing inputs: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func short(hash string) string { return hash[:min(len(hash), 8)] }

// hashFile returns a file's hash and how it looked then; Path stays empty.
func hashFile(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() {
		return File{}, fmt.Errorf("%s is no regular file", path)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return File{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return File{SHA256: hex.EncodeToString(h.Sum(nil)), Bytes: info.Size(), Modified: info.ModTime().UTC()}, nil
}
