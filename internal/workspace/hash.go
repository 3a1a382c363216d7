package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
