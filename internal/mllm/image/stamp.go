package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// Stamp returns, without decoding anything, a string that identifies the bytes that Load would
// return. It is made of the size and modification time of the file, or of the download in
// the cache, the options, and the release of Go, whose JPEG encoder is used. ok is false if
// only Load can tell.
func (l *Loader) Stamp(ref string) (stamp string, ok bool) {
	ref = strings.TrimSpace(ref)
	source := ""
	switch strings.ToLower(scheme.FindString(ref)) {
	case "":
		f, err := l.open(ref)
		if err != nil {
			return "", false
		}
		defer f.Close()
		info, err := f.Stat()
		// A file that was changed just now may change again within the clock's resolution.
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < 2*time.Second {
			return "", false
		}
		source = fmt.Sprintf("file %q %d %d", ref, info.Size(), info.ModTime().UnixNano())
	case "data:":
		sum := sha256.Sum256([]byte(ref))
		source = "data " + hex.EncodeToString(sum[:])
	default:
		return "", false
	}
	return fmt.Sprintf("%s %q %d %d %d %d %s", source, l.opt.Dir, l.opt.LongSide, l.opt.Quality, l.opt.MaxBytes, l.opt.MaxPixels, runtime.Version()), true
}
